import type { Speech } from './speech.ts';

/** Bytes of the data of one message, quotes included. */
export const DATA_BYTES = 128;

/** What the data begins with: by this it is found in whatever frame it comes back in. */
export const MARK = Buffer.from('"~~#');
const PAIR_DIGITS = 5;
const SEQUENCE_DIGITS = 9;
const ID_DIGITS = 14;

/** The wire form of one sender's frames, made once: only digits are written into it for each message. */
export class FrameTemplate {
  readonly #bytes: Buffer;
  readonly #sequenceAt: number;
  readonly #idAt: number;

  constructor(speech: Speech, pair: number, to: string) {
    const digits = String(pair).padStart(PAIR_DIGITS, '0') + '0'.repeat(SEQUENCE_DIGITS);
    const data = `${(MARK.toString() + digits).padEnd(DATA_BYTES - 1, '.')}"`;
    const id = 'i'.repeat(ID_DIGITS);
    this.#bytes = maskedText(speech.frame(to, data, id));
    this.#sequenceAt = this.#bytes.indexOf(MARK) + MARK.length + PAIR_DIGITS;
    this.#idAt = this.#bytes.indexOf(id);
    if (this.#idAt >= 0) writeDigits(this.#bytes, this.#idAt, pair, PAIR_DIGITS);
  }

  /** The frame of one message; to be copied before the next is made. */
  make(sequence: number): Buffer {
    writeDigits(this.#bytes, this.#sequenceAt, sequence, SEQUENCE_DIGITS);
    if (this.#idAt >= 0) writeDigits(this.#bytes, this.#idAt + PAIR_DIGITS, sequence, SEQUENCE_DIGITS);
    return this.#bytes;
  }
}

/** Pair and sequence that stand at a mark. */
export function pairAt(bytes: Buffer, mark: number): number {
  return readDigits(bytes, mark + MARK.length, PAIR_DIGITS);
}

export function sequenceAt(bytes: Buffer, mark: number): number {
  return readDigits(bytes, mark + MARK.length + PAIR_DIGITS, SEQUENCE_DIGITS);
}

/** A text frame as clients must send it, masked by a key of zeros: the mask costs the server the same, and us nothing. */
export function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([0x81, ...size, 0, 0, 0, 0]), payload]);
}

function writeDigits(bytes: Buffer, at: number, value: number, count: number): void {
  let rest = value;
  for (let i = at + count - 1; i >= at; i -= 1) {
    const next = Math.floor(rest / 10);
    bytes[i] = 48 + rest - next * 10;
    rest = next;
  }
}

function readDigits(bytes: Buffer, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i += 1) value = value * 10 + (bytes[i] ?? 0) - 48;
  return value;
}
