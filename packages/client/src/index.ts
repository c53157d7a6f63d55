export { RingwayClient, type Welcome } from './client.ts';
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
