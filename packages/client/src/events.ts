import type { Position } from '@ringway/protocol';
import type { RingwayError } from './errors.ts';

/** `connecting` lasts from `connect()`, or from the loss of a connection, until a session stands. */
export type ClientState = 'connecting' | 'connected' | 'disconnected';

/** A message of a channel. */
export interface Message {
  readonly channel: string;
  readonly id: string;
  /** `user:alice`, or `service:billing` for a backend. */
  readonly from: string;
  readonly data: unknown;
  /** Absent on an ephemeral message. */
  readonly position?: Position;
}

/** Messages after `after`, up to and including `upTo`, are lost to this client. */
export interface Gap {
  readonly channel: string;
  readonly after: Position;
  readonly upTo: Position;
}

/** The session is in a group now, from `position` on: the application joined it, or a backend put the user in. */
export interface Joined {
  readonly channel: string;
  readonly position: Position;
}

/** The session is not in a group any more. */
export interface Left {
  readonly channel: string;
}

/** A change of state. `code` is a WebSocket close code (0 where nothing was closed), `reason` is for people. */
export interface StateChange {
  readonly old: ClientState;
  readonly new: ClientState;
  readonly code: number;
  readonly reason: string;
}

/** The events of a client, by name. */
export interface ClientEvents {
  readonly message: Message;
  readonly gap: Gap;
  /** Not told again after a reconnect or a move, nor after `close()` and `connect()`, of a group that goes on. */
  readonly joined: Joined;
  /** By `leave()`, by a backend, or because the right to it has ended. */
  readonly left: Left;
  readonly state: StateChange;
  /** What goes wrong without a call to tell it to. Only a `SessionEndedError` and a terminal `RouteError` end the client. */
  readonly error: RingwayError;
}
