import type { ServerFrame } from '@ringway/protocol';
import { waitFor } from '@ringway/testkit';
import { type ClientOptions, WebSocket } from 'ws';

/** A WebSocket without the SDK: what comes, as it comes. */
export class RawSocket {
  readonly texts: string[] = [];
  /** Resolves with the close code and reason, or with the status of a refused upgrade. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #socket: WebSocket;

  constructor(url: string, options: ClientOptions = {}) {
    const socket = new WebSocket(url, ['ringway.v1'], options);
    this.#socket = socket;
    socket.on('message', (data) => this.texts.push(String(data)));
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
      socket.on('unexpected-response', (request, response) => {
        resolve({ code: response.statusCode ?? 0, reason: response.statusMessage ?? '' });
        response.destroy();
        request.destroy();
      });
      socket.on('error', () => {});
    });
  }

  get frames(): ServerFrame[] {
    return this.texts.map((text) => JSON.parse(text) as ServerFrame);
  }

  /** Resolves with the first frame of that type. */
  async frame<T extends ServerFrame['type']>(type: T): Promise<Extract<ServerFrame, { type: T }>> {
    const found = await waitFor(() => this.frames.find((frame) => frame.type === type), {
      message: `a frame ${type}`,
    });
    return found as Extract<ServerFrame, { type: T }>;
  }

  send(frame: object | string): void {
    this.#socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  async close(): Promise<void> {
    if (this.#socket.readyState !== WebSocket.OPEN) return this.#socket.terminate();
    this.#socket.close(1000);
    await this.closed;
  }
}
