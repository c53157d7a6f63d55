import { CHANNEL_ALL, type ClientFrame, type ServerFrame } from '@ringway/protocol';
import { WebSocket } from 'ws';

type FrameOf<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>;

/** A client that knows the protocol's frames and nothing else: what was received is kept in order, raw text too. */
export class TestClient {
  readonly socket: WebSocket;
  readonly frames: ServerFrame[] = [];
  readonly texts: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  private readonly read = new Set<ServerFrame>();
  private wake: (() => void) | undefined;
  answerPings = true;

  constructor(url: string, options: { origin?: string } = {}) {
    this.socket = new WebSocket(url, 'ringway.v1', { perMessageDeflate: false, ...options });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.wake?.();
      });
    });
    this.socket.on('error', () => {});
    this.socket.on('message', (data: Buffer) => {
      const text = data.toString('utf8');
      const frame = JSON.parse(text) as ServerFrame;
      if (frame.type === 'ping' && this.answerPings) this.send({ type: 'pong' });
      // comes unasked and at its own time: it is nobody's answer
      if (frame.type === 'joined' && frame.channel === CHANNEL_ALL) this.read.add(frame);
      this.texts.push(text);
      this.frames.push(frame);
      this.wake?.();
    });
  }

  send(frame: ClientFrame | Record<string, unknown>): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** The next frame of this type that was not taken before. */
  async next<T extends ServerFrame['type']>(type: T, timeoutMs = 8_000): Promise<FrameOf<T>> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const frame = this.frames.find((candidate) => candidate.type === type && !this.read.has(candidate));
      if (frame) {
        this.read.add(frame);
        return frame as FrameOf<T>;
      }
      const left = deadline - performance.now();
      if (left <= 0 || this.socket.readyState === WebSocket.CLOSED) {
        throw new Error(`no ${type} frame came; got ${JSON.stringify(this.frames.slice(-5))}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  all<T extends ServerFrame['type']>(type: T): FrameOf<T>[] {
    return this.frames.filter((frame) => frame.type === type) as FrameOf<T>[];
  }
}
