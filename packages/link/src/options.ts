import { type BackoffPolicy, DEFAULT_BACKOFF } from './backoff.ts';
import { type LinkClock, systemClock } from './clock.ts';
import type { SocketLike } from './socket.ts';
import type { LinkState } from './state.ts';

/** How a connection, or an attempt to get one, ended. */
export interface LinkClose {
  /** The close code; 1006 where there was none: broken, not reached, `dial` failed, timed out. */
  readonly code: number;
  readonly reason: string;
  /** Whether the socket had been open. */
  readonly opened: boolean;
  /** How long it was open, in milliseconds. */
  readonly uptimeMs: number;
  /** What `dial` threw, where it did. */
  readonly error?: unknown;
}

/**
 * What to do after a close: `again` at once, `backoff` after the policy's wait, `stop` for good; `afterMs` waits that
 * long at least, and the policy's wait on top (the other side named a time, and not everybody shall come at it).
 */
export type AfterClose = 'again' | 'backoff' | 'stop' | { readonly afterMs: number };

/** Options of {@link Link}, with the defaults of {@link LINK_DEFAULTS}. */
export interface LinkOptions {
  /**
   * Makes a socket, connecting or open, for one attempt; asked anew for each, so that a client asks `/route` and a peer
   * signs a token here. `attempt` counts the attempts that failed in a row before. `signal` aborts when the attempt is
   * given up. Throwing is a failed attempt.
   */
  readonly dial: (attempt: number, signal: AbortSignal) => Promise<SocketLike> | SocketLike;
  /** The one funnel for every end but {@link Link.stop}'s: of a connection, and of an attempt. */
  readonly afterClose: (close: LinkClose) => AfterClose;
  /** The socket is open and `send` works. */
  readonly onOpen?: (socket: SocketLike) => void;
  readonly onMessage?: (data: string | Uint8Array, socket: SocketLike) => void;
  readonly onState?: (change: { readonly old: LinkState; readonly new: LinkState }) => void;
  readonly backoff?: BackoffPolicy;
  /** Bound of each of the two steps of an attempt, `dial` and opening. */
  readonly connectTimeoutMs?: number;
  /** Bound of `dial` alone, where it differs. */
  readonly dialTimeoutMs?: number;
  /** Failed attempts are forgotten once a connection has lasted this long. */
  readonly minUptimeMs?: number;
  /** How long {@link Link.stop} waits for the other side's goodbye. */
  readonly closeGraceMs?: number;
  readonly clock?: LinkClock;
  /** A random number in [0, 1). */
  readonly random?: () => number;
}

type Defaulted = 'backoff' | 'connectTimeoutMs' | 'minUptimeMs' | 'closeGraceMs' | 'clock' | 'random';

export const LINK_DEFAULTS: Readonly<Required<Pick<LinkOptions, Defaulted>>> = Object.freeze({
  backoff: DEFAULT_BACKOFF,
  connectTimeoutMs: 5_000,
  minUptimeMs: 5_000,
  closeGraceMs: 2_000,
  clock: systemClock,
  random: Math.random,
});

export type ResolvedLinkOptions = LinkOptions & Readonly<Required<Pick<LinkOptions, Defaulted>>>;

/** Fills in the defaults, refuses bad values by name, freezes. */
export function resolveLinkOptions(options: LinkOptions): ResolvedLinkOptions {
  const resolved = { ...LINK_DEFAULTS, ...options };
  for (const [name, value] of Object.entries(resolved)) {
    if (name.endsWith('Ms') && !((value as number) >= 0))
      throw new RangeError(`${name} must be 0 or more, it is ${value}`);
  }
  return Object.freeze(resolved);
}
