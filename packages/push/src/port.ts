import type { TextSigner } from '@ringway/service';
import type { Transport } from './transport.ts';

/** A node to which a backend can publish. */
export interface PushMember {
  readonly id: string;
  /** `http://` or `https://`. */
  readonly internalUrl: string;
}

/** The URL of a path on a member's internal listener. */
export function endpoint({ internalUrl }: PushMember, path: string): string {
  return (internalUrl.endsWith('/') ? internalUrl.slice(0, -1) : internalUrl) + path;
}

/** One immutable view of the ring. */
export interface PushRing {
  readonly index: string;
  readonly checksum: string;
  /** Number of members. */
  readonly size: number;
  /** The home of the channel and the members that follow it on the ring, distinct, at most `count`. */
  owners(channel: string, count: number): readonly PushMember[];
}

/** What a source may use of the SDK that it serves. */
export interface SourceContext {
  readonly transport: Transport;
  /** The cluster's name. */
  readonly cluster: string;
  /** Checks members' signatures; absent when the SDK has no keys. */
  readonly signer?: TextSigner;
  /** A cluster token (scope push) for an audience; absent when the SDK has no keys. */
  readonly mint?: (audience: string) => string;
  /** A number of [0, 1). */
  readonly random: () => number;
}

/**
 * PORT: where the ring comes from.
 *
 * - `start` is called once, before anything else. From then on the source reads the ring and keeps it current, whatever
 *   goes wrong, until `close`.
 * - `current` is the last ring that was read; it is never taken back, so that a registry's outage stops nobody.
 * - `problem` is why the last reading failed; undefined after one that succeeded.
 * - `refresh` reads again now. It resolves when that is done, whether or not something changed, and never rejects.
 *   Calls that come while one is under way share it.
 * - `close` ends every watch. It may be called twice.
 */
export interface RingSource {
  start(context: SourceContext): void;
  current(): PushRing | undefined;
  problem(): Error | undefined;
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/**
 * PORT: bearer tokens for nodes.
 *
 * `tokenFor` answers a cluster token (scope push) whose audience is the node, good for some seconds yet; it rejects
 * when it cannot get one. `forget` is called when the node refused it: the next `tokenFor` makes a new one.
 */
export interface NodeTokens {
  tokenFor(nodeId: string): Promise<string>;
  forget(nodeId: string): void;
}

/** Optional capability of a {@link RingSource}: it can also get tokens, for an SDK that has no keys. */
export interface TokenIssuer {
  tokens(): NodeTokens;
}

/** Whether the source has that capability. */
export function issuesTokens(source: RingSource): source is RingSource & TokenIssuer {
  return 'tokens' in source && typeof source.tokens === 'function';
}
