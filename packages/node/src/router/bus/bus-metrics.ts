import type { Registry } from 'prom-client';
import { Scraped } from '../../scraped.ts';
import type { RedisBusHooks } from './redis-parts.ts';

/** What a node measures of a router that sends through Redis. */
export class BusMetrics implements RedisBusHooks {
  private readonly errors = { refused: 0, unknown: 0, unfit: 0, unreadable: 0 };
  private fullCount = 0;

  failed(result: 'refused' | 'unknown' | 'unfit'): void {
    this.errors[result]++;
  }

  full(count: number): void {
    this.fullCount += count;
  }

  unreadable(): void {
    this.errors.unreadable++;
  }

  /** Adds them to a node's metrics. */
  register(
    registry: Registry,
    { connected, foreign }: { connected: () => boolean; foreign: () => number },
  ): void {
    const { errors } = this;
    const scraped = new Scraped(registry);
    scraped.gauge(
      'ringway_router_connected',
      'Whether the router is connected to Redis, both ways: 1 or 0.',
      () => (connected() ? 1 : 0),
    );
    scraped.tally(
      'ringway_router_errors_total',
      'Calls of the router that Redis refused, those whose outcome is unknown, connections to a Redis that may evict (unfit), and parcels that could not be read.',
      'result',
      () => Object.entries(errors),
    );
    scraped.counter(
      'ringway_router_foreign_total',
      'Messages that came to this node, which has no sessions for them: with broadcast most of them.',
      foreign,
    );
    scraped.counter(
      'ringway_router_queue_full_total',
      'Parcels that did not go to a node, because its queue in the directory was full.',
      () => this.fullCount,
    );
  }
}
