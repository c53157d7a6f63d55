import { connect, type Socket } from 'node:net';
import { maskedText } from './frame.ts';
import { NatsReader } from './nats.ts';
import type { Speech } from './speech.ts';

/** What becomes of a client. */
export interface ClientEvents {
  /** The server said that the client can be reached. */
  ready(client: Client): void;
  /** A text frame with something in it that is not part of the speech: from `start` to `end`. */
  data(client: Client, bytes: Buffer, start: number, end: number): void;
  /** A frame that answers one of ours. */
  answered(client: Client): void;
  /** It is over before it should be: refused, closed, or broken. */
  failed(client: Client, why: string): void;
}

const CR_LF_TWICE = Buffer.from('\r\n\r\n');
// One buffer for all: what is read is used up, or copied, before the next read.
const readBuffer = Buffer.allocUnsafe(256 * 1024);
const waiting: Client[] = [];

function flushAll(): void {
  for (const client of waiting.splice(0)) client.flush();
}

/**
 * A WebSocket client that does no more than the bench needs, so that the load costs less than the server: frames made
 * beforehand, one write a socket and turn of the loop, and reading without a copy.
 */
export class Client {
  readonly index: number;
  readonly #socket: Socket;
  readonly #speech: Speech;
  readonly #events: ClientEvents;
  readonly #answer: Buffer | undefined;
  readonly #user: string;
  readonly #group: string | undefined;
  #state: 'upgrading' | 'open' | 'joining' | 'ready' | 'ended' = 'upgrading';
  #rest: Buffer | undefined;
  #pieces: Buffer[] = [];
  readonly #nats: NatsReader | undefined;

  constructor(
    { index, url, user, group }: { index: number; url: string; user: string; group: string | undefined },
    speech: Speech,
    events: ClientEvents,
  ) {
    this.index = index;
    this.#user = user;
    this.#group = group;
    this.#nats = speech.nats && this.#natsReader();
    this.#speech = speech;
    this.#events = events;
    this.#answer = speech.ping && maskedText(speech.ping[1]);
    const { hostname, port, pathname, search } = new URL(
      group && !speech.join ? `${url}&group=${group}` : url,
    );
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (size, buffer) => {
          this.#read((buffer as Buffer).subarray(0, size));
          return true;
        },
      },
    });
    this.#socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\n` +
        'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
        `${speech.protocol ? `Sec-WebSocket-Protocol: ${speech.protocol}\r\n` : ''}\r\n`,
    );
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.on('close', () => this.#fail('closed'));
  }

  /** Writes the frame at the end of this turn. It is copied at once. */
  send(frame: Buffer): void {
    if (this.#pieces.push(Buffer.from(frame)) > 1) return;
    if (waiting.push(this) === 1) setImmediate(flushAll);
  }

  flush(): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    const [first] = pieces;
    if (first !== undefined) this.#socket.write(pieces.length === 1 ? first : Buffer.concat(pieces));
  }

  /** Ends it without a word; `failed` is not called. */
  end(): void {
    this.#state = 'ended';
    this.#socket.destroy();
  }

  #natsReader(): NatsReader {
    return new NatsReader({
      message: (bytes, start, end) => this.#events.data(this, bytes, start, end),
      ping: () => this.#answer && this.send(this.#answer),
      pong: () => {
        if (this.#state === 'ready') return;
        this.#state = 'ready';
        this.#events.ready(this);
      },
      error: (line) => this.#fail(line),
    });
  }

  #fail(why: string): void {
    if (this.#state === 'ended') return;
    this.end();
    this.#events.failed(this, why);
  }

  #read(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    let at = 0;
    if (this.#state === 'upgrading') {
      const end = bytes.indexOf(CR_LF_TWICE);
      if (end < 0) {
        this.#rest = Buffer.from(bytes);
        return;
      }
      const status = bytes.toString('latin1', 0, bytes.indexOf('\r\n'));
      if (!status.startsWith('HTTP/1.1 101')) return this.#fail(status);
      at = end + CR_LF_TWICE.length;
      this.#state = 'open';
      if (this.#speech.greeting !== undefined) this.send(maskedText(this.#speech.greeting(this.#user)));
    }
    at = this.#frames(bytes, at);
    if (at < bytes.length && this.#state !== 'ended') this.#rest = Buffer.from(bytes.subarray(at));
  }

  /** Takes whole frames from `at` on. @returns where the first that is not whole begins. */
  #frames(bytes: Buffer, at: number): number {
    let begin = at;
    while (begin + 2 <= bytes.length) {
      const kind = (bytes[begin] ?? 0) & 15;
      let size = (bytes[begin + 1] ?? 0) & 127;
      let start = begin + 2;
      if (size === 126) {
        if (begin + 4 > bytes.length) break;
        size = bytes.readUInt16BE(start);
        start += 2;
      } else if (size === 127) {
        if (begin + 10 > bytes.length) break;
        size = Number(bytes.readBigUInt64BE(start));
        start += 8;
      }
      if (start + size > bytes.length) break;
      this.#frame(bytes, kind, start, start + size);
      begin = start + size;
    }
    return begin;
  }

  #frame(bytes: Buffer, kind: number, start: number, end: number): void {
    if (kind === 8) {
      const code = end - start >= 2 ? bytes.readUInt16BE(start) : 1005;
      return this.#fail(`close ${code} ${bytes.toString('utf8', Math.min(start + 2, end), end)}`);
    }
    if (kind === 2 && this.#nats) return this.#nats.read(bytes, start, end);
    if (kind !== 1) return;
    const speech = this.#speech;
    if (this.#state === 'ready') {
      if (speech.answer !== undefined && begins(bytes, start, end, speech.answer))
        return this.#events.answered(this);
      if (speech.ping && this.#answer && begins(bytes, start, end, speech.ping[0])) {
        // Socket.IO's ping is a whole frame of one character that data never begins with.
        return this.send(this.#answer);
      }
      if (speech.refusal !== undefined && begins(bytes, start, end, speech.refusal)) {
        return this.#fail(bytes.toString('utf8', start, end));
      }
      return this.#events.data(this, bytes, start, end);
    }
    const ready = this.#state === 'joining' && speech.join ? speech.join[1] : speech.ready;
    if (begins(bytes, start, end, ready)) {
      if (this.#state === 'open' && this.#group !== undefined && speech.join) {
        this.#state = 'joining';
        return this.send(maskedText(speech.join[0](this.#group)));
      }
      this.#state = 'ready';
      this.#events.ready(this);
    } else if (speech.refusal !== undefined && begins(bytes, start, end, speech.refusal)) {
      this.#fail(bytes.toString('utf8', start, end));
    }
  }
}

function begins(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start < text.length) return false;
  for (let i = text.length - 1; i >= 0; i -= 1) {
    // From behind: the frames of one speech begin alike.
    if (bytes[start + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}
