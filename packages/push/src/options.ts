import { isUserId } from '@ringway/protocol';
import { KeyFamily } from '@ringway/service';
import { OptionError } from './errors.ts';
import type { RingSource } from './port.ts';
import type { TlsOptions } from './transport.ts';

/** What a {@link RingwayPush} is made from. */
export interface PushOptions {
  /** Where the ring comes from: `locatorSource(…)`, `consulSource(…)`, or one of your own. */
  readonly source: RingSource;
  /** This backend's name: messages come from `service:<name>`. 1 to 256 bytes. */
  readonly name: string;
  /**
   * The cluster's keys as in `RINGWAY_CLUSTER_KEYS`: newest first, separated by commas or white space. Left out, tokens
   * come from the locator's `/owner`, which needs a locator source with a `token`.
   */
  readonly clusterKeys?: string;
  /** The cluster's name. Default `ringway`. */
  readonly cluster?: string;
  /** How long a call may take in all, retries included, milliseconds. Default 10000. */
  readonly timeoutMs?: number;
  /** How long one request may take before the successor is asked, milliseconds. Default 3000. */
  readonly attemptTimeoutMs?: number;
  /** Trust and identity for https, PEM. By default the authorities that Node trusts. */
  readonly tls?: TlsOptions;
  /** A number of [0, 1), for jitter. Default Math.random. */
  readonly random?: () => number;
  /** Makes ids of publishes; they must not repeat. Default `crypto.randomUUID`. */
  readonly makeId?: () => string;
}

/** The same, checked and complete. */
export interface ResolvedOptions {
  readonly source: RingSource;
  readonly name: string;
  readonly keys: KeyFamily | undefined;
  readonly cluster: string;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly tls: TlsOptions;
  readonly random: () => number;
  readonly makeId: () => string;
}

const KNOWN = new Set<string>([
  'source',
  'name',
  'clusterKeys',
  'cluster',
  'timeoutMs',
  'attemptTimeoutMs',
  'tls',
  'random',
  'makeId',
] satisfies (keyof PushOptions)[]);

/** @throws OptionError naming the first option that is wrong */
export function resolveOptions(options: PushOptions): ResolvedOptions {
  for (const option of Object.keys(options)) {
    if (!KNOWN.has(option))
      throw new OptionError(option, `no such option; there are ${[...KNOWN].join(', ')}`);
  }
  const { source, name, cluster = 'ringway', timeoutMs = 10_000, attemptTimeoutMs = 3_000 } = options;
  if (typeof source?.start !== 'function')
    throw new OptionError('source', 'expected a ring source, such as locatorSource({ urls })');
  if (!isUserId(name))
    throw new OptionError('name', 'expected 1 to 256 bytes of text without control characters');
  if (typeof cluster !== 'string' || cluster === '')
    throw new OptionError('cluster', "expected the cluster's name");
  return Object.freeze({
    source,
    name,
    keys: parseKeys(options.clusterKeys),
    cluster,
    timeoutMs: duration('timeoutMs', timeoutMs),
    attemptTimeoutMs: duration('attemptTimeoutMs', attemptTimeoutMs),
    tls: Object.freeze({ ...options.tls }),
    random: options.random ?? Math.random,
    makeId: options.makeId ?? (() => crypto.randomUUID()),
  });
}

/** The same for one call: what it leaves out is the SDK's. */
export function duration(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0 && value <= 2 ** 31 - 1) return value;
  throw new OptionError(option, `expected milliseconds above 0, got ${String(value)}`);
}

function parseKeys(text: string | undefined): KeyFamily | undefined {
  if (text === undefined) return undefined;
  try {
    return KeyFamily.parse('clusterKeys', text);
  } catch {
    throw new OptionError(
      'clusterKeys',
      'expected secrets of at least 32 bytes each, separated by commas or white space',
    );
  }
}
