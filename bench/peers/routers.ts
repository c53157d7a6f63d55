import { bareWs } from './bare-ws.ts';
import { bound } from './bound.ts';
import type { Peer } from './peer.ts';
import { ringRedis, ringwayRouters } from './ringway.ts';
import { socketIo, socketIoSharded, socketIoStreams } from './socket-io.ts';

/** Ringway's routers, the adapters that are like them, and below them what cannot be had for less. */
export const routerPeers: readonly Peer[] = [
  ...ringwayRouters,
  socketIo,
  socketIoSharded,
  socketIoStreams,
  bareWs,
  bound,
];

/** Each piece of code once. */
export const routerPeersShort = routerPeers.filter((peer) => peer !== ringRedis);
