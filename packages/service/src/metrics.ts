import { Gauge, type Registry } from 'prom-client';
import { every } from './every.ts';

/** Sampling interval: each sample wakes the process, unless another timer does so anyway. */
const INTERVAL_MS = 100;

/**
 * Adds `ringway_eventloop_lag_seconds` to a registry: the longest delay of the event loop since the last scrape, as a
 * timer sees it that is due ten times a second.
 *
 * @returns the function that ends the measurement.
 */
export function measureEventLoopLag(registry: Registry): () => void {
  let longest = 0;
  new Gauge({
    name: 'ringway_eventloop_lag_seconds',
    help: 'Longest delay of the event loop since the last scrape.',
    registers: [registry],
    collect() {
      this.set(longest / 1000);
      longest = 0;
    },
  });
  return every(INTERVAL_MS, (lateMs) => {
    if (lateMs > longest) longest = lateMs;
  });
}
