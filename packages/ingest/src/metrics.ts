import { measureEventLoopLag } from '@ringway/service';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What the gauges show, read at each scrape. */
export interface IngestGauges {
  inFlight(): number;
  limit(): number;
  connected(): boolean;
}

/** The metrics of one ingest, in a registry of its own. Their rates are the rates of the messages. */
export interface IngestMetrics {
  readonly registry: Registry;
  /** It is done with, `published` (again, for a `duplicate`) or `set_aside`, so many seconds after it was read. */
  settled(result: 'published' | 'duplicate' | 'set_aside', seconds: number): void;
  setAside(reason: string): void;
  retried(code: string): void;
  sourceFailed(doing: string): void;
  redelivered(count: number): void;
  /** Messages that wait; undefined when that could not be asked. */
  lag(messages: number | undefined): void;
  close(): void;
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10, 60];

export function createMetrics(gauges: IngestGauges): IngestMetrics {
  const registry = new Registry();
  const registers = [registry];
  const messages = new Counter({
    name: 'ringway_ingest_messages_total',
    help: 'Messages done with: published, duplicate (published before), or set_aside.',
    labelNames: ['result'] as const,
    registers,
  });
  const duration = new Histogram({
    name: 'ringway_ingest_duration_seconds',
    help: 'Time from the reading of a message to the end of the work on it.',
    buckets: BUCKETS,
    registers,
  });
  const setAside = new Counter({
    name: 'ringway_ingest_set_aside_total',
    help: 'Messages set aside, by reason.',
    labelNames: ['reason'] as const,
    registers,
  });
  const retries = new Counter({
    name: 'ringway_ingest_retries_total',
    help: 'Publishes that were refused for now and are repeated, by code.',
    labelNames: ['code'] as const,
    registers,
  });
  const failures = new Counter({
    name: 'ringway_ingest_source_failures_total',
    help: 'What went wrong between this process and the queue, by what was being done.',
    labelNames: ['doing'] as const,
    registers,
  });
  const redelivered = new Counter({
    name: 'ringway_ingest_redelivered_total',
    help: 'Messages that the queue delivered again: somebody had taken and not settled them.',
    registers,
  });
  const lag = new Gauge({
    name: 'ringway_ingest_lag_messages',
    help: 'Messages that wait in the queue or are not settled; NaN while the queue cannot be asked.',
    registers,
  });
  lag.set(Number.NaN);
  for (const [name, help, read] of [
    ['in_flight', 'Messages read and not settled.', gauges.inFlight],
    ['in_flight_limit', 'Most messages read and not settled.', gauges.limit],
    ['source_connected', '1 while the queue is connected.', () => (gauges.connected() ? 1 : 0)],
  ] as const) {
    new Gauge({
      name: `ringway_ingest_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
  const endLoopLag = measureEventLoopLag(registry);
  return {
    registry,
    settled(result, seconds) {
      messages.inc({ result });
      duration.observe(seconds);
    },
    setAside: (reason) => setAside.inc({ reason }),
    retried: (code) => retries.inc({ code }),
    sourceFailed: (doing) => failures.inc({ doing }),
    redelivered: (count) => redelivered.inc(count),
    lag: (count) => lag.set(count ?? Number.NaN),
    close: endLoopLag,
  };
}
