import type { BackoffBounds } from '../backoff.ts';
import { type Clock, SYSTEM_CLOCK } from '../clock.ts';
import type { Rules } from '../decide.ts';
import { InvalidOptionError } from '../errors.ts';
import { type MembershipLog, SILENT } from '../log.ts';
import type { RejectReason } from '../signed-member.ts';
import type { MemberSigner } from '../signer.ts';

/** Times of the adapter, in milliseconds; the defaults are what was tried against real Consul. */
export interface ConsulTimings extends Rules {
  /** How long Consul holds a blocking query open. */
  readonly waitMs: number;
  /** The same while Consul has no leader: a stale answer must not be the last word for long. */
  readonly leaderlessWaitMs: number;
  /** Least time between the starts of two queries. */
  readonly minGapMs: number;
  /** After failed queries. */
  readonly backoff: BackoffBounds;
  /** A registry that heard from its leader longer ago than this takes no member away. */
  readonly maxLastContactMs: number;
  /** For calls that do not block. Longer than the 7 s after which Consul gives up on a leader. */
  readonly requestTimeoutMs: number;
  /** How long `register` goes on trying while Consul does not answer or has no leader. */
  readonly registerPatienceMs: number;
}

/** Defaults of {@link ConsulTimings}. */
export const CONSUL_TIMINGS: ConsulTimings = Object.freeze({
  waitMs: 10_000,
  leaderlessWaitMs: 1_000,
  minGapMs: 50,
  backoff: Object.freeze({ baseMs: 100, capMs: 2_000 }),
  maxLastContactMs: 5_000,
  requestTimeoutMs: 9_000,
  registerPatienceMs: 30_000,
  criticalHoldMs: 2_500,
  massLossHoldMs: 15_000,
  massLossShare: 0.34,
  massLossWindowMs: 3_000,
});

/** How Consul checks the node. The check runs every second and fails after one. */
export interface ConsulCheckOptions {
  /** What is asked; the internal URL's `/healthz` by default. */
  readonly url?: string;
  /** For an internal listener whose certificate the agent cannot check. Default false. */
  readonly tlsSkipVerify?: boolean;
  /** After how long critical the agent forgets the node: whole seconds or minutes, `1m` at least; default `10m`. */
  readonly deregisterAfter?: string;
}

/** For an `https:` address. PEM texts. */
export interface ConsulTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name to expect in Consul's certificate when it is not the host of the address. */
  readonly serverName?: string;
}

/** Counters; each is optional. */
export interface ConsulHooks {
  /** A registration was seen that is kept out; once for each, not for each answer. */
  rejected?(reason: RejectReason): void;
  /** How many members are kept only because too many were lost at once; 0 when that is over. */
  held?(count: number): void;
  /** A query failed. */
  failed?(): void;
  /** The registry lost this node, which was registered again. */
  reregistered?(): void;
}

/** Options of `consulMembership`. */
export interface ConsulMembershipOptions {
  /** Of the local agent: `http://127.0.0.1:8500`. */
  readonly address: string;
  /** ACL token. */
  readonly token?: string;
  /** Name of the Consul service, from `serviceName(cluster)`; default `ringway-node`. */
  readonly service?: string;
  /** Proof of membership by the cluster's keys. */
  readonly signer: MemberSigner;
  readonly tls?: ConsulTls;
  readonly check?: ConsulCheckOptions;
  readonly timings?: Partial<ConsulTimings>;
  readonly log?: MembershipLog;
  readonly hooks?: ConsulHooks;
  /** Gives [0, 1), for jitter. */
  readonly random?: () => number;
  readonly clock?: Clock;
}

/** The options with every default filled in; frozen. */
export interface ResolvedConsulOptions {
  readonly address: string;
  readonly token: string | undefined;
  readonly service: string;
  readonly signer: MemberSigner;
  readonly tls: ConsulTls;
  readonly check: {
    readonly url: string | undefined;
    readonly tlsSkipVerify: boolean;
    readonly deregisterAfter: string;
  };
  readonly timings: ConsulTimings;
  readonly log: MembershipLog;
  readonly hooks: ConsulHooks;
  readonly random: () => number;
  readonly clock: Clock;
}

/** Checks the options and fills in the defaults. @throws InvalidOptionError */
export function resolveConsulOptions(options: ConsulMembershipOptions): ResolvedConsulOptions {
  const address = URL.canParse(options.address) ? new URL(options.address) : undefined;
  if (address === undefined || !['http:', 'https:'].includes(address.protocol)) {
    throw new InvalidOptionError('address', 'an http: or https: URL such as http://127.0.0.1:8500');
  }
  if (address.pathname !== '/' || address.search !== '' || address.username !== '') {
    throw new InvalidOptionError('address', 'an address without path, query or user');
  }
  const service = options.service ?? 'ringway-node';
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(service)) {
    throw new InvalidOptionError('service', 'a service name of a-z 0-9 - (at most 63)');
  }
  const deregisterAfter = options.check?.deregisterAfter ?? '10m';
  const [, amount = '0', unit] = /^(\d{1,6})(s|m|h)$/.exec(deregisterAfter) ?? [];
  if (Number(amount) * { s: 1, m: 60, h: 3600 }[unit === 's' || unit === 'm' ? unit : 'h'] < 60) {
    throw new InvalidOptionError(
      'check.deregisterAfter',
      'a duration such as 90s or 10m, 1m at least (Consul raises less)',
    );
  }
  if (options.check?.url !== undefined && !URL.canParse(options.check.url)) {
    throw new InvalidOptionError('check.url', 'an http: or https: URL');
  }
  return Object.freeze({
    address: address.origin,
    token: options.token === '' ? undefined : options.token,
    service,
    signer: options.signer,
    tls: Object.freeze({ ...options.tls }),
    check: Object.freeze({
      url: options.check?.url,
      tlsSkipVerify: options.check?.tlsSkipVerify ?? false,
      deregisterAfter,
    }),
    timings: resolveTimings(options.timings ?? {}),
    log: options.log ?? SILENT,
    hooks: options.hooks ?? {},
    random: options.random ?? Math.random,
    clock: options.clock ?? SYSTEM_CLOCK,
  });
}

function resolveTimings(given: Partial<ConsulTimings>): ConsulTimings {
  const timings = { ...CONSUL_TIMINGS, ...given };
  const numbers = { ...timings, ...timings.backoff, backoff: 0 };
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isFinite(value) || value < 0)
      throw new InvalidOptionError(`timings.${name}`, 'a number from 0');
  }
  if (timings.waitMs < 1_000) throw new InvalidOptionError('timings.waitMs', '1000 or more');
  return Object.freeze({ ...timings, backoff: Object.freeze({ ...timings.backoff }) });
}
