export { type BackoffPolicy, DEFAULT_BACKOFF, fullJitter, type JitterBounds } from './backoff.ts';
export { after, type LinkClock, systemClock } from './clock.ts';
export { Link, type Replaced } from './link.ts';
export { type AfterClose, LINK_DEFAULTS, type LinkClose, type LinkOptions } from './options.ts';
export { closeGracefully, detach, discard, type SocketLike } from './socket.ts';
export type { LinkState, LinkStateName } from './state.ts';
