import { Counter, Gauge, type Registry } from 'prom-client';

/** Where the values come from when a scrape asks. */
export interface PresenceMetricsSources {
  watched(): number;
  readonly told: { readonly online: number; readonly offline: number };
  streams(): number;
  refused(): number;
  slow(): number;
  unanswered(): number;
}

/** Adds what a node measures of presence to its metrics. */
export function presenceMetrics(registry: Registry, sources: PresenceMetricsSources): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  gauge('ringway_presence_watched', 'Users of this node’s home that clients watch.', () => sources.watched());
  new Counter({
    name: 'ringway_presence_told_total',
    help: 'States of users that were told to clients, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      this.inc({ state: 'online' }, sources.told.online);
      this.inc({ state: 'offline' }, sources.told.offline);
    },
  });
  gauge('ringway_presence_streams', 'Streams of presence events that are open.', () => sources.streams());
  counter(
    'ringway_presence_streams_refused_total',
    'Streams of presence events that were refused: there were as many as are allowed.',
    () => sources.refused(),
  );
  counter(
    'ringway_presence_streams_slow_total',
    'Streams of presence events that were ended because their reader took too little.',
    () => sources.slow(),
  );
  counter(
    'ringway_presence_unanswered_total',
    'Users and groups of which a home, or a holder, did not tell in time who is there.',
    () => sources.unanswered(),
  );
}
