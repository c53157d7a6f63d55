const LF = 10;
const ZERO = 48;

/** What a reader finds. */
export interface NatsEvents {
  /** A message: its payload from `start` to `end`. */
  message(bytes: Buffer, start: number, end: number): void;
  ping(): void;
  pong(): void;
  error(line: string): void;
}

/**
 * Reads what a NATS server says to a client: lines, and behind those of messages the payload. Over WebSocket it comes in
 * frames, which begin and end where they happen to.
 */
export class NatsReader {
  readonly #events: NatsEvents;
  #rest: Buffer | undefined;

  constructor(events: NatsEvents) {
    this.#events = events;
  }

  /** Takes the bytes from `start` to `end`; what is not whole is copied and waits. */
  read(chunk: Buffer, start: number, end: number): void {
    let bytes = chunk.subarray(start, end);
    if (this.#rest !== undefined) bytes = Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (;;) {
      const line = bytes.indexOf(LF, at);
      if (line < 0) break;
      const next = this.#line(bytes, at, line + 1);
      if (next < 0) break;
      at = next;
    }
    this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : undefined;
  }

  /** @returns where what follows begins, or -1 when the payload is not whole. */
  #line(bytes: Buffer, at: number, end: number): number {
    switch (bytes.toString('latin1', at, at + 3)) {
      case 'MSG': {
        const behind = end + sizeBefore(bytes, end - 2);
        if (behind + 2 > bytes.length) return -1;
        this.#events.message(bytes, end, behind);
        return behind + 2;
      }
      case 'PIN':
        this.#events.ping();
        return end;
      case 'PON':
        this.#events.pong();
        return end;
      case '-ER':
        this.#events.error(bytes.toString('latin1', at, end).trim());
        return end;
      default:
        return end; // INFO, +OK
    }
  }
}

/** The number whose last digit stands before `end`. */
function sizeBefore(bytes: Buffer, end: number): number {
  let size = 0;
  for (let at = end - 1, unit = 1; ; at -= 1, unit *= 10) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return size;
    size += digit * unit;
  }
}
