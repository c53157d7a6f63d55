import type { BackoffBounds } from '../backoff.ts';
import { type Clock, SYSTEM_CLOCK } from '../clock.ts';
import { InvalidOptionError } from '../errors.ts';
import { type MembershipLog, SILENT } from '../log.ts';
import { serviceName } from '../service-name.ts';
import type { RejectReason } from '../signed-member.ts';
import type { MemberSigner } from '../signer.ts';

/** Times of the adapter, in milliseconds. */
export interface RedisTimings {
  /** A reader looks this often, whatever it was told; with jitter. */
  readonly pollMs: number;
  /** An offerer looks, and confirms what stands there, this often; with jitter. */
  readonly offerMs: number;
  /** An offerer that sees another's offer waits up to this long for its own registry to say the same. */
  readonly reactMs: number;
  /** Least time between two offers of one process that raise the generation, or replace what is not believed. */
  readonly forceGapMs: number;
  /** For connecting and for each command. */
  readonly requestTimeoutMs: number;
  /** After failures. */
  readonly backoff: BackoffBounds;
  /** A ring that nobody has confirmed for so long is shown as stale. */
  readonly unfedAfterMs: number;
  /** How long a reader keeps members that are missing after the registry started over. */
  readonly startedOverHoldMs: number;
}

/** Defaults of {@link RedisTimings}. */
export const REDIS_TIMINGS: RedisTimings = Object.freeze({
  pollMs: 5_000,
  offerMs: 10_000,
  reactMs: 200,
  forceGapMs: 5_000,
  requestTimeoutMs: 3_000,
  backoff: Object.freeze({ baseMs: 100, capMs: 2_000 }),
  unfedAfterMs: 40_000,
  startedOverHoldMs: 15_000,
});

/** For a `rediss:` URL. PEM texts. */
export interface RedisTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name to expect in Redis's certificate when it is not the host of the URL. */
  readonly serverName?: string;
}

/** What became of a look at the ring in Redis by one who offers: it was written, it stood there, or it is older. */
export type OfferResult = 'accepted' | 'same' | 'refused' | 'failed';

/** Counters; each is optional. */
export interface RedisHooks {
  /** What stands in Redis is kept out; once for each, not for each look. */
  rejected?(reason: RejectReason): void;
  /** An offer was made. */
  offered?(result: OfferResult): void;
  /** A read failed. */
  failed?(): void;
}

/** Options of `redisWatching` and `sharedWatching`. */
export interface RedisRingOptions {
  /** `redis://` or `rediss://`, with user, password and database as usual. */
  readonly url: string;
  /** The cluster's name, prefix of the keys; default `ringway`. */
  readonly cluster?: string;
  /** Proof by the cluster's keys: Redis is none. */
  readonly signer: MemberSigner;
  readonly tls?: RedisTls;
  readonly timings?: Partial<RedisTimings>;
  readonly log?: MembershipLog;
  readonly hooks?: RedisHooks;
  /** Gives [0, 1), for jitter. */
  readonly random?: () => number;
  readonly clock?: Clock;
}

/** The options with every default filled in; frozen. */
export interface ResolvedRedisOptions {
  readonly url: string;
  readonly key: string;
  /** What signatures name: the cluster's Consul service. */
  readonly service: string;
  readonly signer: MemberSigner;
  readonly tls: RedisTls;
  readonly timings: RedisTimings;
  readonly log: MembershipLog;
  readonly hooks: RedisHooks;
  readonly random: () => number;
  readonly clock: Clock;
}

/** Checks the options and fills in the defaults. @throws InvalidOptionError */
export function resolveRedisOptions(options: RedisRingOptions): ResolvedRedisOptions {
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    throw new InvalidOptionError('url', 'a redis:// or rediss:// URL such as redis://127.0.0.1:6379');
  }
  const cluster = options.cluster ?? 'ringway';
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(cluster)) {
    throw new InvalidOptionError('cluster', 'a name of letters, digits, - and _ (at most 63)');
  }
  const timings = { ...REDIS_TIMINGS, ...options.timings };
  for (const [name, value] of Object.entries({ ...timings, ...timings.backoff, backoff: 0 })) {
    if (!Number.isFinite(value) || value < 0)
      throw new InvalidOptionError(`timings.${name}`, 'a number from 0');
  }
  return Object.freeze({
    url: options.url,
    key: `${cluster}:ring`,
    service: serviceName(cluster),
    signer: options.signer,
    tls: Object.freeze({ ...options.tls }),
    timings: Object.freeze({ ...timings, backoff: Object.freeze({ ...timings.backoff }) }),
    log: options.log ?? SILENT,
    hooks: options.hooks ?? {},
    random: options.random ?? Math.random,
    clock: options.clock ?? SYSTEM_CLOCK,
  });
}
