import { type RedisServer, startRedis } from '@ringway/testkit';
import { Redis } from 'ioredis';
import {
  joinedMembership,
  type Member,
  type Membership,
  type MembershipWatch,
  MemoryRegistry,
  memoryMembership,
  type OfferResult,
  type RegistrationObserver,
  type Snapshot,
  type StaleReason,
  type Watching,
} from '../../src/index.ts';
import { type RedisRingOptions, redisWatching, sharedWatching } from '../../src/redis/index.ts';
import { clusterSigner, listed } from './members.ts';

export { type RedisServer, startRedis };

/** Somebody who reads the ring in Redis, with everything that was shown. */
export class Reader implements AsyncDisposable {
  readonly snapshots: Snapshot[] = [];
  readonly stale: StaleReason[] = [];
  readonly rejected: string[] = [];
  fresh = 0;
  readonly watch: MembershipWatch;
  readonly #watching: Watching;

  constructor(options: Partial<RedisRingOptions> & { url: string }) {
    this.#watching = redisWatching({
      signer: clusterSigner(),
      hooks: { rejected: (reason) => this.rejected.push(reason) },
      ...options,
    });
    this.watch = this.#watching.watch({
      snapshot: (snapshot) => this.snapshots.push(snapshot),
      stale: (reason) => this.stale.push(reason),
      fresh: () => {
        this.fresh += 1;
      },
    });
  }

  /** What is shown, as `id:state` of each. */
  get last(): string {
    return listed(this.snapshots.at(-1)).join(' ');
  }

  /** Everything that was shown, one after the other. */
  get all(): string[] {
    return this.snapshots.map((snapshot) => listed(snapshot).join(' '));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watching.close();
  }
}

/** Somebody who offers what a registry says, and counts what became of it. */
export class Offerer implements AsyncDisposable {
  readonly results: OfferResult[] = [];
  readonly rejected: string[] = [];
  readonly #watching: Watching;

  constructor(registry: Watching, options: Partial<RedisRingOptions> & { url: string }) {
    this.#watching = sharedWatching(registry, {
      signer: clusterSigner(),
      hooks: {
        offered: (result) => this.results.push(result),
        rejected: (reason) => this.rejected.push(reason),
      },
      ...options,
    });
    this.#watching.watch({ snapshot() {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watching.close();
  }
}

/** What stands in Redis, as text; undefined when nothing does. */
export async function standing(
  redis: Redis,
  key = 'ringway:ring',
): Promise<{ generation: bigint; index: bigint; members: { id: string; state: string }[] } | undefined> {
  const text = await redis.hget(key, 'ring');
  if (text === null) return undefined;
  const { generation, index, members } = JSON.parse(text) as {
    generation: string;
    index: string;
    members: { id: string; state: string }[];
  };
  return { generation: BigInt(generation), index: BigInt(index), members };
}

/** A connection of the test's own. */
export function connect(server: RedisServer): Redis & AsyncDisposable {
  const redis = new Redis(server.url, { retryStrategy: () => 50 });
  redis.on('error', () => {});
  return Object.assign(redis, {
    [Symbol.asyncDispose]: async () => {
      redis.disconnect();
    },
  });
}

/**
 * A membership that registers within this process, and reads what an offerer made of that in Redis. Its `register`
 * resolves when the member stands in Redis, as the port demands of a registry.
 */
export class RelayedRegistry implements AsyncDisposable {
  readonly registry = new MemoryRegistry();
  readonly #options: RedisRingOptions;
  readonly #offerer: Offerer;
  readonly #reader: Reader;

  constructor(url: string, cluster: string) {
    this.#options = { url, cluster, signer: clusterSigner() };
    this.#offerer = new Offerer(memoryMembership(this.registry), this.#options);
    this.#reader = new Reader(this.#options);
  }

  open(): Membership {
    const registering = memoryMembership(this.registry);
    return joinedMembership(
      {
        register: async (self: Member, observer?: RegistrationObserver) => {
          const registration = await registering.register(self, observer);
          await this.#stands(self);
          return registration;
        },
        close: () => registering.close(),
      },
      redisWatching(this.#options),
    );
  }

  async #stands({ id, incarnation }: Member): Promise<void> {
    await this.#reader.watch.ready;
    for (;;) {
      const { members } = await this.#reader.watch.reread();
      if (members.some((entry) => entry.id === id && entry.incarnation === incarnation)) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#offerer[Symbol.asyncDispose]();
    await this.#reader[Symbol.asyncDispose]();
  }
}
