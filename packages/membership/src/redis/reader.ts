import { MembershipClosedError } from '../errors.ts';
import type { MembershipObserver, MembershipWatch, Watching } from '../port.ts';
import { type RedisRingOptions, type ResolvedRedisOptions, resolveRedisOptions } from './redis-options.ts';
import { RedisWatch } from './watch.ts';

/**
 * The members as the locators offer them in Redis (`sharedWatching`), for processes that do not reach Consul. Only to
 * read: members register with Consul. `ready` waits until a ring stands there. @throws InvalidOptionError
 */
export function redisWatching(options: RedisRingOptions): Watching {
  return new RedisReader(resolveRedisOptions(options));
}

class RedisReader implements Watching {
  readonly #options: ResolvedRedisOptions;
  readonly #watches = new Set<RedisWatch>();
  #closed = false;

  constructor(options: ResolvedRedisOptions) {
    this.#options = options;
  }

  watch(observer: MembershipObserver): MembershipWatch {
    if (this.#closed) throw new MembershipClosedError();
    const watch = new RedisWatch(this.#options, observer);
    this.#watches.add(watch);
    return watch;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#watches].map((watch) => watch.close()));
  }
}
