import type { Client } from './client.ts';
import type { FrameTemplate } from './frame.ts';
import { Receipts } from './receipts.ts';

const TIMES = 1 << 14;

/** One sender, whoever its messages are for, and the count of what came of them. */
export abstract class Stream {
  readonly #sender: Client;
  readonly #template: FrameTemplate;
  /** When the latest messages were sent, in milliseconds, by sequence. */
  readonly #times = new Float64Array(TIMES);
  /** Messages. */
  sent = 0;

  constructor(sender: Client, template: FrameTemplate) {
    this.#sender = sender;
    this.#template = template;
  }

  /** Deliveries, each counted once. */
  abstract get delivered(): number;
  /** Deliveries that are missing. */
  abstract get lost(): number;
  abstract get doubled(): number;
  /** Deliveries behind one of a message that was sent later. */
  abstract get disordered(): number;
  /** Messages that somebody has not got yet. */
  abstract get underWay(): number;
  /** @returns whether this client gets it for the first time, and should. */
  protected abstract receive(sequence: number, client: number): boolean;

  send(now: number): void {
    this.#times[this.sent % TIMES] = now;
    this.#sender.send(this.#template.make(this.sent));
    this.sent += 1;
  }

  /** Takes a message that came. @returns when it was sent, or NaN if it had come before. */
  take(sequence: number, client: number): number {
    return this.receive(sequence, client) ? (this.#times[sequence % TIMES] ?? Number.NaN) : Number.NaN;
  }
}

/** To one receiver. */
export class Pair extends Stream {
  readonly #receipts = new Receipts();

  get delivered(): number {
    return this.#receipts.delivered;
  }

  get lost(): number {
    return this.sent - this.delivered;
  }

  get doubled(): number {
    return this.#receipts.doubled;
  }

  get disordered(): number {
    return this.#receipts.disordered;
  }

  get underWay(): number {
    return this.lost;
  }

  protected receive(sequence: number): boolean {
    return this.#receipts.take(sequence);
  }
}

/** To all members of a group. */
export class Crowd extends Stream {
  readonly #receipts: ReadonlyMap<number, Receipts>;
  /** Members who have the latest messages, by sequence. */
  readonly #reached = new Uint32Array(TIMES);
  #complete = 0;
  #delivered = 0;

  /** `members`: clients, by their numbers. */
  constructor(sender: Client, template: FrameTemplate, members: readonly number[]) {
    super(sender, template);
    this.#receipts = new Map(members.map((member) => [member, new Receipts()]));
  }

  get delivered(): number {
    return this.#delivered;
  }

  get lost(): number {
    return this.sent * this.#receipts.size - this.#delivered;
  }

  get doubled(): number {
    return this.#sum('doubled');
  }

  get disordered(): number {
    return this.#sum('disordered');
  }

  get underWay(): number {
    return this.sent - this.#complete;
  }

  override send(now: number): void {
    this.#reached[this.sent % TIMES] = 0;
    super.send(now);
  }

  protected receive(sequence: number, client: number): boolean {
    if (!this.#receipts.get(client)?.take(sequence)) return false;
    const reached = (this.#reached[sequence % TIMES] ?? 0) + 1;
    this.#reached[sequence % TIMES] = reached;
    if (reached === this.#receipts.size) this.#complete += 1;
    this.#delivered += 1;
    return true;
  }

  #sum(what: 'doubled' | 'disordered'): number {
    let total = 0;
    for (const receipts of this.#receipts.values()) total += receipts[what];
    return total;
  }
}
