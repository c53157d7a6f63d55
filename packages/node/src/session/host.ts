import type { CloseName, WelcomeFrame } from '@ringway/protocol';
import type { Flusher } from './flusher.ts';
import type { Session } from './session.ts';

/** What a session needs of its node. One for all sessions. */
export interface SessionHost {
  readonly nodeId: string;
  readonly ping: WelcomeFrame['ping'];
  readonly limits: WelcomeFrame['limits'];
  /** Bytes waiting for one client beyond which it is too slow. */
  readonly maxWaitingBytes: number;
  readonly flusher: Flusher;
  /** Monotonic, milliseconds. */
  now(): number;
  /** Milliseconds since the epoch. */
  wallClock(): number;
  /** The present tick of the ping wheel. */
  tick(): number;
  /** A text frame came in: from `start` to `end`. */
  received(session: Session, bytes: Buffer, start: number, end: number): void;
  receivedBinary(session: Session): void;
  /** Its connection is gone; `left`: the client has said goodbye. */
  ended(session: Session, left: boolean): void;
  close(session: Session, name: CloseName): void;
}
