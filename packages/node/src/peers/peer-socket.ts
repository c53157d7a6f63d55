import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SocketLike } from '@ringway/link';
import type { WebSocket } from 'ws';
import { FrameReader, OPCODE } from '../socket/frame-reader.ts';
import { maskedBinaryFrame } from '../socket/framing.ts';

/** The WebSocket by which a node dials a peer: what is sent and read in numbers takes the short way, past `ws`. */
export class PeerSocket implements SocketLike {
  binaryType = 'nodebuffer';
  onopen: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  private readonly socket: WebSocket;
  private stream: Duplex | undefined;
  private handler: ((event: never) => void) | null = null;

  constructor(socket: WebSocket, maxBytes: number) {
    this.socket = socket;
    socket.once('upgrade', (response: IncomingMessage) => {
      this.stream = response.socket;
    });
    socket.once('open', () => {
      if (this.stream) {
        new FrameReader(this.stream, socket, this, { opcode: OPCODE.binary, masked: false, maxBytes });
      }
      this.onopen?.(undefined as never);
    });
    socket.onclose = (event) => this.onclose?.(event as never);
  }

  get readyState(): number {
    return this.socket.readyState;
  }

  get bufferedAmount(): number {
    return this.socket.bufferedAmount;
  }

  get onmessage(): ((event: never) => void) | null {
    return this.handler;
  }

  set onmessage(handler: ((event: never) => void) | null) {
    this.handler = handler;
    this.socket.onmessage = handler as WebSocket['onmessage'];
  }

  get onerror(): ((event: never) => void) | null {
    return this.socket.onerror;
  }

  set onerror(handler: ((event: never) => void) | null) {
    this.socket.onerror = handler as WebSocket['onerror'];
  }

  /** A string is a binary message as wire text: bytes, one to a character. */
  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (typeof data === 'string' && this.stream) this.stream.write(maskedBinaryFrame(data), 'latin1');
    else this.socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }

  terminate(): void {
    this.socket.terminate();
  }

  received(bytes: Buffer, start: number, end: number): void {
    this.handler?.({ data: bytes.subarray(start, end) } as never);
  }
}
