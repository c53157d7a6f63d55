import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

/** Sampling interval: each sample wakes the process, which an idle one should not be. */
const RESOLUTION_MS = 100;

/**
 * Adds `ringway_eventloop_lag_seconds` to a registry: the longest delay of the event loop since the last scrape, beyond
 * the sampling interval.
 *
 * @returns the function that ends the measurement.
 */
export function measureEventLoopLag(registry: Registry): () => void {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  new Gauge({
    name: 'ringway_eventloop_lag_seconds',
    help: 'Longest delay of the event loop since the last scrape.',
    registers: [registry],
    collect() {
      this.set(Math.max(0, histogram.max / 1e9 - RESOLUTION_MS / 1000));
      histogram.reset();
    },
  });
  return () => histogram.disable();
}
