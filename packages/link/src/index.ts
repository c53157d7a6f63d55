export { type BackoffPolicy, DEFAULT_BACKOFF, fullJitter, type JitterBounds } from './backoff.ts';
export { Link, type Replaced } from './link.ts';
export { type AfterClose, LINK_DEFAULTS, type LinkClose, type LinkOptions } from './options.ts';
export { closeGracefully, discard, type LinkClock, type SocketLike, systemClock } from './socket.ts';
export type { LinkState, LinkStateName } from './state.ts';
