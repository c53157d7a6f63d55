import { WebSocket } from 'ws';
import { RingwayClient as BaseClient } from './client.ts';
import type { ClientOptions } from './options.ts';

/** Ringway switches compression off: small frames do not gain by it, and it costs memory for each connection. */
class NodeWebSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }
}

/** {@link BaseClient} over npm `ws`. */
export class RingwayClient extends BaseClient {
  constructor(options: ClientOptions) {
    super({ WebSocket: NodeWebSocket, ...options });
  }
}

export type { Welcome } from './client.ts';
export {
  ClosedError,
  FrameTooBigError,
  JoinRefusedError,
  NodeError,
  PublishRefusedError,
  PublishTimeoutError,
  QueueFullError,
  RingwayError,
  RouteError,
  SessionEndedError,
  TokenError,
} from './errors.ts';
export type { ClientEvents, ClientState, Gap, Joined, Left, Message, StateChange } from './events.ts';
export { CLIENT_DEFAULTS, type ClientOptions, type WebSocketClass } from './options.ts';
export type { Published, PublishOptions } from './publication.ts';
