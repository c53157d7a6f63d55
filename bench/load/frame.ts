import type { Speech } from './speech.ts';

/** Bytes of the data of one message, quotes included. */
export const DATA_BYTES = 128;

/** What the data begins with: by this it is found in whatever frame it comes back in. */
export const MARK = Buffer.from('"~~#');
const STREAM_DIGITS = 5;
const SEQUENCE_DIGITS = 9;
const ID_DIGITS = 14;

/** The wire form of one sender's frames, made once: only digits are written into it for each message. */
export class FrameTemplate {
  readonly #bytes: Buffer;
  readonly #payloadAt: number;
  readonly #sequenceAt: number;
  readonly #idAt: number;

  constructor(speech: Speech, stream: number, to: string) {
    const digits = String(stream).padStart(STREAM_DIGITS, '0') + '0'.repeat(SEQUENCE_DIGITS);
    const data = `${(MARK.toString() + digits).padEnd(DATA_BYTES - 1, '.')}"`;
    const id = 'i'.repeat(ID_DIGITS);
    const text = speech.frame(to, data, id);
    this.#bytes = maskedText(text);
    this.#payloadAt = this.#bytes.length - Buffer.byteLength(text);
    this.#sequenceAt = this.#payloadAt + text.indexOf(MARK.toString()) + MARK.length + STREAM_DIGITS;
    this.#idAt = text.indexOf(id) < 0 ? -1 : this.#payloadAt + text.indexOf(id);
    if (this.#idAt >= 0) this.#write(this.#idAt, stream, STREAM_DIGITS);
  }

  /** The frame of one message; to be copied before the next is made. */
  make(sequence: number): Buffer {
    this.#write(this.#sequenceAt, sequence, SEQUENCE_DIGITS);
    if (this.#idAt >= 0) this.#write(this.#idAt + STREAM_DIGITS, sequence, SEQUENCE_DIGITS);
    return this.#bytes;
  }

  /** Digits, masked as the rest of the frame is. */
  #write(at: number, value: number, count: number): void {
    let rest = value;
    for (let i = at + count - 1; i >= at; i -= 1) {
      const next = Math.floor(rest / 10);
      this.#bytes[i] = (48 + rest - next * 10) ^ (MASK[(i - this.#payloadAt) & 3] ?? 0);
      rest = next;
    }
  }
}

/** Stream and sequence that stand at a mark. */
export function streamAt(bytes: Buffer, mark: number): number {
  return readDigits(bytes, mark + MARK.length, STREAM_DIGITS);
}

export function sequenceAt(bytes: Buffer, mark: number): number {
  return readDigits(bytes, mark + MARK.length + STREAM_DIGITS, SEQUENCE_DIGITS);
}

/** One for all frames, but none of zeros: a server that sees those need not take the mask off. */
const MASK = Buffer.from([0x5a, 0x3c, 0xa7, 0xe1]);

/** A text frame as clients must send it. */
export function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
  const masked = payload.map((byte, i) => byte ^ (MASK[i & 3] ?? 0));
  return Buffer.concat([Buffer.from([0x81, ...size]), MASK, masked]);
}

function readDigits(bytes: Buffer, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i += 1) value = value * 10 + (bytes[i] ?? 0) - 48;
  return value;
}
