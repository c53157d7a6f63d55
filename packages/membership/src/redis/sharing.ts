import type { MembershipWatch, Watching } from '../port.ts';
import { RingOfferer } from './offerer.ts';
import { type RedisRingOptions, resolveRedisOptions } from './redis-options.ts';

/**
 * The same members, and beside it every snapshot that the first watch shows is offered in Redis, for those who read
 * there by `redisWatching`. Redis disturbs nothing: what happens to it is counted and logged. @throws InvalidOptionError
 */
export function sharedWatching(registry: Watching, options: RedisRingOptions): Watching {
  const resolved = resolveRedisOptions(options);
  let offerer: RingOfferer | undefined;
  return {
    watch(observer): MembershipWatch {
      if (offerer !== undefined) return registry.watch(observer);
      const offers = new RingOfferer(resolved);
      offerer = offers;
      const watch = registry.watch({
        snapshot(snapshot) {
          offers.take(snapshot);
          observer.snapshot(snapshot);
        },
        stale(reason, cause) {
          offers.hold();
          observer.stale?.(reason, cause);
        },
        fresh() {
          offers.release();
          observer.fresh?.();
        },
      });
      offers.start(watch);
      return watch;
    },
    close: async () => {
      await offerer?.close();
      await registry.close();
    },
  };
}
