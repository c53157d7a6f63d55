import { after, detach, discard, type SocketLike } from '@ringway/link';
import { SUBPROTOCOL, type WelcomeFrame } from '@ringway/protocol';
import { parseFrame } from './frame.ts';
import type { ResolvedOptions } from './options.ts';

/** What becomes of a second socket: one of the two, once. */
export interface StandbyPort {
  /** The session stands. Called within the socket's own event: whoever takes it misses no frame after the welcome. */
  welcome(socket: SocketLike, frame: WelcomeFrame): void;
  failed(reason: string): void;
}

/** Opens a second socket beside the one in use, up to its welcome; the answer is a function that gives it up. */
export function standBy(url: string, options: ResolvedOptions, port: StandbyPort): () => void {
  const { WebSocket, clock, connectTimeoutMs } = options;
  let socket: SocketLike;
  try {
    socket = new WebSocket(url, [SUBPROTOCOL]);
  } catch (error) {
    queueMicrotask(() => port.failed(String(error)));
    return () => {};
  }
  const giveUp = () => {
    cancel();
    discard(socket);
  };
  const fail = (reason: string) => {
    giveUp();
    port.failed(reason);
  };
  const cancel = after(clock, connectTimeoutMs, () => fail('timeout'));
  socket.onerror = () => {};
  socket.onclose = ({ code, reason }: { code: number; reason: string }) => fail(`closed ${code} ${reason}`);
  socket.onmessage = ({ data }: { data: unknown }) => {
    const frame = parseFrame(data);
    if (frame?.type !== 'welcome') {
      fail('no welcome');
      return;
    }
    cancel();
    detach(socket);
    port.welcome(socket, frame);
  };
  return giveUp;
}
