import type { Client } from './client.ts';
import type { FrameTemplate } from './frame.ts';

const TIMES = 1 << 14;

/** One sender, one receiver, and the count of what went between them. */
export class Pair {
  readonly #sender: Client;
  readonly #template: FrameTemplate;
  readonly #missing = new Set<number>();
  /** When the latest messages were sent, in milliseconds, by sequence. */
  readonly #times = new Float64Array(TIMES);
  #sent = 0;
  #next = 0;
  doubled = 0;
  disordered = 0;

  constructor(sender: Client, template: FrameTemplate) {
    this.#sender = sender;
    this.#template = template;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Distinct messages that came. */
  get delivered(): number {
    return this.#next - this.#missing.size;
  }

  get lost(): number {
    return this.#sent - this.delivered;
  }

  send(now: number): void {
    this.#times[this.#sent % TIMES] = now;
    this.#sender.send(this.#template.make(this.#sent));
    this.#sent += 1;
  }

  /** Takes a message that came. @returns when it was sent, or NaN if it had come before. */
  take(sequence: number): number {
    if (sequence === this.#next) {
      this.#next += 1;
    } else if (sequence > this.#next) {
      for (let hole = this.#next; hole < sequence; hole += 1) this.#missing.add(hole);
      this.#next = sequence + 1;
    } else if (this.#missing.delete(sequence)) {
      this.disordered += 1;
    } else {
      this.doubled += 1;
      return Number.NaN;
    }
    return this.#times[sequence % TIMES] ?? Number.NaN;
  }
}
