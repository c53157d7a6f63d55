import type { Registry } from 'prom-client';
import { Scraped } from '../../scraped.ts';

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
  const scraped = new Scraped(registry);
  scraped.gauge('ringway_presence_watched', 'Users of this node’s home that clients watch.', () =>
    sources.watched(),
  );
  scraped.tally(
    'ringway_presence_told_total',
    'States of users that were told to clients, by state.',
    'state',
    () => Object.entries(sources.told),
  );
  scraped.gauge('ringway_presence_streams', 'Streams of presence events that are open.', () =>
    sources.streams(),
  );
  scraped.counter(
    'ringway_presence_streams_refused_total',
    'Streams of presence events that were refused: there were as many as are allowed.',
    () => sources.refused(),
  );
  scraped.counter(
    'ringway_presence_streams_slow_total',
    'Streams of presence events that were ended because their reader took too little.',
    () => sources.slow(),
  );
  scraped.counter(
    'ringway_presence_unanswered_total',
    'Users and groups of which a home, or a holder, did not tell in time who is there.',
    () => sources.unanswered(),
  );
}
