import { Counter, Gauge, type Registry } from 'prom-client';
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
    const registers = [registry];
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
    new Gauge({
      name: 'ringway_router_connected',
      help: 'Whether the router is connected to Redis, both ways: 1 or 0.',
      registers,
      collect() {
        this.set(connected() ? 1 : 0);
      },
    });
    new Counter({
      name: 'ringway_router_errors_total',
      help: 'Calls of the router that Redis refused, those whose outcome is unknown, connections to a Redis that may evict (unfit), and parcels that could not be read.',
      labelNames: ['result'],
      registers,
      collect() {
        this.reset();
        for (const [result, count] of Object.entries(errors)) this.inc({ result }, count);
      },
    });
    counter(
      'ringway_router_foreign_total',
      'Messages that came to this node, which has no sessions for them: with broadcast most of them.',
      foreign,
    );
    counter(
      'ringway_router_queue_full_total',
      'Parcels that did not go to a node, because its queue in the directory was full.',
      () => this.fullCount,
    );
  }
}
