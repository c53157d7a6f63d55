import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Kind of a frame (RFC 6455, 5.2). */
export const OPCODE = Object.freeze({ text: 1, binary: 2 });

const FINAL = 0x80;
const MASKED = 0x80;
const CONTINUATION = 0;
const CLOSE = 8;
/** Longest head of a frame: two bytes, eight of length, four of mask. */
const MAX_HEAD = 14;

/** The frames that are taken; one object for all sockets of a kind. */
export interface FrameKind {
  /** Of the messages that are expected; others reach the socket's own `message` event, as all that is unusual. */
  readonly opcode: number;
  /** Whether the other side is a client, and so masks what it sends. */
  readonly masked: boolean;
  /** Longest message that is taken here. */
  readonly maxBytes: number;
}

/** Who gets the messages. */
export interface FrameTarget {
  /** A message: from `start` to `end`, for the time of the call. */
  received(bytes: Buffer, start: number, end: number): void;
}

/** Where stream and socket keep their reader: closures for each of thousands would cost more than the reader. */
const READER = Symbol('reader');

interface WithReader {
  [READER]?: FrameReader;
}

function onData(this: Duplex, chunk: Buffer): void {
  (this as WithReader)[READER]?.read(this, chunk);
}

function onError(this: WebSocket): void {
  (this as WithReader)[READER]?.silence();
}

/**
 * A short way into a node for the frames that come in numbers: whole messages of one frame, within one chunk of the
 * stream. They are unmasked where they stand and handed over without a Buffer made for any of them, where `ws` makes five.
 * Everything else (control frames, fragments, what comes in parts, is too long, or wrong) is given to `ws` as it came,
 * from the first byte of its frame to the last, so that `ws` alone says what the protocol is.
 */
export class FrameReader {
  private readonly target: FrameTarget;
  private readonly kind: FrameKind;
  /** The listener of `ws` on the stream. */
  private readonly pass: (this: Duplex, chunk: Buffer) => void;
  /** Bytes still to come of a frame that was passed on in part. */
  private owed = 0;
  /** Its head, as far as it came, while that does not tell how long the frame is. */
  private head: Buffer | undefined;
  /** A message is under way in fragments; the other side says goodbye in the frame under way, or has said it. */
  private within: 'nothing' | 'fragments' | 'goodbye' | 'silence' = 'nothing';

  /** Reads what comes on the stream below the socket from now on. */
  constructor(stream: Duplex, socket: WebSocket, target: FrameTarget, kind: FrameKind) {
    this.target = target;
    this.kind = kind;
    const [listener] = stream.listeners('data') as ((chunk: Buffer) => void)[];
    if (!listener) throw new Error('the WebSocket does not read its stream');
    this.pass = listener;
    (stream as WithReader)[READER] = this;
    (socket as WithReader)[READER] = this;
    stream.removeListener('data', listener);
    stream.on('data', onData);
    socket.on('error', onError);
  }

  /** A chunk has come on the stream. */
  read(stream: Duplex, chunk: Buffer): void {
    // what is left in a stream that has closed by itself `ws` reads for itself
    if (this.within === 'silence' || stream.destroyed) return;
    let at = 0;
    if (this.owed === 0 && this.head === undefined) {
      for (let next = this.take(chunk, at); next > at; next = this.take(chunk, at)) at = next;
    }
    // the rest of the chunk too: `ws` tells of what is wrong with a frame only when this turn is over
    while (at < chunk.length && !this.silent) at = this.handOn(stream, chunk, at);
  }

  /** `ws` has found something wrong and closes: nothing that comes is of interest any more. */
  silence(): void {
    this.within = 'silence';
  }

  private get silent(): boolean {
    return this.within === 'silence';
  }

  /** Takes the frame that begins here; returns where the next begins, or `at` when it is none for this way. */
  private take(bytes: Buffer, at: number): number {
    const { opcode, masked, maxBytes } = this.kind;
    const mark = masked ? MASKED : 0;
    if (bytes[at] !== (FINAL | opcode) || this.within !== 'nothing') return at;
    const second = bytes[at + 1] as number;
    if ((second & MASKED) !== mark) return at;
    let length = second & 127;
    let start = at + 2;
    if (length === 126) {
      length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
      start += 2;
    } else if (length === 127) return at;
    if (masked) start += 4;
    const end = start + length;
    if (end > bytes.length || length > maxBytes) return at;
    if (masked && !unmask(bytes, start, end)) return at;
    this.target.received(bytes, start, end);
    return end;
  }

  /** Gives `ws` what there is of the frame that begins or goes on here; returns what is behind it. */
  private handOn(stream: Duplex, bytes: Buffer, at: number): number {
    if (this.owed > 0) {
      const end = Math.min(bytes.length, at + this.owed);
      this.owed -= end - at;
      this.pass.call(stream, bytes.subarray(at, end));
      this.ended();
      return end;
    }
    const before = this.head?.length ?? 0;
    const seen = bytes.subarray(at, at + MAX_HEAD - before);
    const head = this.head ? Buffer.concat([this.head, seen]) : seen;
    const size = frameSize(head);
    if (size === undefined) {
      // a copy: a view would keep the whole chunk
      this.head = Buffer.from(head);
      this.pass.call(stream, bytes.subarray(at));
      return bytes.length;
    }
    this.head = undefined;
    this.begun(head[0] as number);
    this.owed = size - before;
    return this.handOn(stream, bytes, at);
  }

  /** `first` is the first byte of a frame that is passed on. */
  private begun(first: number): void {
    const opcode = first & 15;
    if (opcode === CLOSE) this.within = 'goodbye';
    else if (opcode === CONTINUATION || opcode === OPCODE.text || opcode === OPCODE.binary) {
      this.within = (first & FINAL) === 0 ? 'fragments' : 'nothing';
    }
  }

  private ended(): void {
    if (this.owed === 0 && this.within === 'goodbye') this.within = 'silence';
  }
}

/** Bytes of a whole frame; undefined when this much of its head does not tell. */
function frameSize(head: Buffer): number | undefined {
  if (head.length < 2) return undefined;
  const second = head[1] as number;
  const mask = (second & MASKED) === 0 ? 0 : 4;
  const length = second & 127;
  if (length < 126) return 2 + mask + length;
  if (length === 126) return head.length < 4 ? undefined : 4 + mask + head.readUInt16BE(2);
  return head.length < 10 ? undefined : 10 + mask + Number(head.readBigUInt64BE(2));
}

/** So long a payload `ws` unmasks sooner, by native code: a byte at a time wins while calling that costs more. */
const LONG = 1_024;

/**
 * Takes the mask off the payload from `start` to `end`; the four bytes of the mask stand before it. False, and nothing is
 * done, when the payload is long.
 */
function unmask(bytes: Buffer, start: number, end: number): boolean {
  const a = bytes[start - 4] as number;
  const b = bytes[start - 3] as number;
  const c = bytes[start - 2] as number;
  const d = bytes[start - 1] as number;
  // nodes mask with zeros between them, and so may whoever has nothing to fear from a cache on the way
  if ((a | b | c | d) === 0) return true;
  if (end - start > LONG) return false;
  let i = start;
  for (; i + 3 < end; i += 4) {
    bytes[i] = (bytes[i] as number) ^ a;
    bytes[i + 1] = (bytes[i + 1] as number) ^ b;
    bytes[i + 2] = (bytes[i + 2] as number) ^ c;
    bytes[i + 3] = (bytes[i + 3] as number) ^ d;
  }
  if (i < end) bytes[i] = (bytes[i] as number) ^ a;
  if (i + 1 < end) bytes[i + 1] = (bytes[i + 1] as number) ^ b;
  if (i + 2 < end) bytes[i + 2] = (bytes[i + 2] as number) ^ c;
  return true;
}
