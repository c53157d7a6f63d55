import { after, type LinkClock } from './clock.ts';

/**
 * What the browser's `WebSocket` and the one of npm `ws` have in common, as far as a link needs it.
 *
 * The handlers take `never`, so that either library's own event types fit; {@link Link} is the only one who sets them.
 */
export interface SocketLike {
  binaryType: string;
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** Bytes given to `send` that the network has not taken yet. */
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** Ends the connection without the closing handshake. `ws` has it, browsers do not. */
  terminate?(): void;
}

export const SOCKET_OPEN = 1;
const SOCKET_CLOSED = 3;

function ignore(): void {}

/** Nobody listens to this socket any more. `ws` throws an error event that nobody hears, so one ear stays. */
export function detach(socket: SocketLike): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
  socket.onerror = ignore;
}

/** Ends a socket that is of no more use, at once where that is possible. */
export function discard(socket: SocketLike): void {
  detach(socket);
  if (socket.terminate) socket.terminate();
  else socket.close();
}

/** Says goodbye and waits for the answer, `graceMs` at most; what was sent before still arrives. */
export function closeGracefully(
  socket: SocketLike,
  code: number,
  reason: string,
  clock: LinkClock,
  graceMs: number,
): Promise<void> {
  detach(socket);
  if (socket.readyState !== SOCKET_OPEN) {
    if (socket.readyState !== SOCKET_CLOSED) discard(socket);
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const cancel = after(clock, graceMs, () => {
      discard(socket);
      resolve();
    });
    socket.onclose = () => {
      cancel();
      detach(socket);
      resolve();
    };
    socket.close(code, reason);
  });
}
