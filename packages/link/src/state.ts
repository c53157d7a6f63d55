import type { SocketLike } from './socket.ts';

/**
 * Where a link stands. Each state is an object of its own: what was begun in one asks "is it still this one?" before it
 * goes on, which is all the guarding that re-entry needs.
 *
 * ```
 * idle ──start──> connecting ──opened──> open
 *                  ^   |                  |
 *                  |   └──failed──┬─ended─┘
 *                  |              v
 *                  ├──again── afterClose ──stop──> stopped ──start──> connecting
 *                  |              |
 *                  └──── waiting <┘ backoff
 * ```
 * `stop` leads to `stopped` from everywhere; `replace` leads to `open` from `connecting`, `open` and `waiting`.
 */
export type LinkState =
  | { readonly name: 'idle' }
  | { readonly name: 'connecting'; readonly attempt: number }
  | { readonly name: 'open'; readonly socket: SocketLike; readonly since: number }
  | { readonly name: 'waiting'; readonly attempt: number; readonly waitMs: number }
  | { readonly name: 'stopped'; readonly code: number; readonly reason: string };

/** The name of a {@link LinkState}. */
export type LinkStateName = LinkState['name'];
