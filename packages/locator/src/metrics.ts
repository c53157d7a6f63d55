import { measureEventLoopLag } from '@ringway/service';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The locator's metrics; each locator has its own registry, so that several can live in one process. */
export interface LocatorMetrics {
  readonly registry: Registry;
  /** Every answer of `/route`, by its `code` (`ok` for 200), and how long it took in seconds. */
  route(code: string, seconds: number): void;
  memberRejected(reason: string): void;
  ringChanged(): void;
  close(): void;
}

// from a tenth of a millisecond, which is usual, to the limits at which callers give up
const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

/** @param ring what the gauges of the ring show, read at each scrape. */
export function createMetrics(ring: { ageSeconds(): number; members(): number }): LocatorMetrics {
  const registry = new Registry();
  const registers = [registry];
  // Successes are gathered and counted many at a time: each on its own would look up labels with caches that are cold
  // in the midst of a request, which was a twentieth of what a /route costs.
  const gathered = new Float64Array(1024);
  let count = 0;
  const settle = () => {
    for (let i = 0; i < count; i++) durations.observe(gathered[i] as number);
    if (count > 0) answers.inc({ code: 'ok' }, count);
    count = 0;
  };
  const durations = new Histogram({
    name: 'ringway_route_duration_seconds',
    help: 'Time from the arrival of a GET /route to its answer.',
    buckets: BUCKETS,
    registers,
    collect: settle,
  });
  const answers = new Counter({
    name: 'ringway_routes_total',
    help: 'Answers of GET /route by code; "ok" for 200, "rate_limited" for those of a caller refused as too many, "overloaded" for those of all.',
    labelNames: ['code'] as const,
    registers,
    collect: settle,
  });
  const rejected = new Counter({
    name: 'ringway_members_rejected_total',
    help: 'Registrations that were kept out of the ring.',
    labelNames: ['reason'] as const,
    registers,
  });
  const changes = new Counter({ name: 'ringway_ring_changes_total', help: 'Swaps of the ring.', registers });
  new Gauge({
    name: 'ringway_ring_age_seconds',
    help: 'Time since the registry last confirmed the ring; +Inf before the first time.',
    registers,
    collect() {
      this.set(ring.ageSeconds());
    },
  });
  new Gauge({
    name: 'ringway_ring_members',
    help: 'Members in the ring.',
    registers,
    collect() {
      this.set(ring.members());
    },
  });
  const endLag = measureEventLoopLag(registry);
  return {
    registry,
    route(code, seconds) {
      if (code !== 'ok') {
        durations.observe(seconds);
        answers.inc({ code });
        return;
      }
      gathered[count++] = seconds;
      if (count === gathered.length) settle();
    },
    memberRejected: (reason) => rejected.inc({ reason }),
    ringChanged: () => changes.inc(),
    close: endLag,
  };
}
