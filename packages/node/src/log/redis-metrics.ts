import { Histogram, type Registry } from 'prom-client';
import { Scraped } from '../scraped.ts';
import type { RedisLogHooks } from './redis.ts';

/** What a node measures of its Redis log. */
export class RedisLogMetrics implements RedisLogHooks {
  private readonly results = { refused: 0, unknown: 0, unfit: 0 };
  private readonly seconds = new Histogram({
    name: 'ringway_log_append_seconds',
    help: 'From the sending of a batch of appends to Redis to its answer.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2],
    registers: [],
  });

  failed(result: 'refused' | 'unknown'): void {
    this.results[result]++;
  }

  answered(seconds: number): void {
    this.seconds.observe(seconds);
  }

  unfit(): void {
    this.results.unfit++;
  }

  /** Adds them to a node's metrics. */
  register(registry: Registry, connected: () => boolean): void {
    const { results } = this;
    const scraped = new Scraped(registry);
    registry.registerMetric(this.seconds);
    scraped.tally(
      'ringway_log_errors_total',
      'What the log refused (nothing was stored), what it left unknown, and times that Redis was found to evict (unfit).',
      'result',
      () => Object.entries(results),
    );
    scraped.gauge('ringway_log_connected', 'Whether the log is connected to Redis: 1 or 0.', () =>
      connected() ? 1 : 0,
    );
  }
}
