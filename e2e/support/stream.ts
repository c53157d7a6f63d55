import { setInterval } from 'node:timers/promises';
import type { Published } from '@ringway/client';
import type { Person } from './person.ts';

/** Someone who says 1, 2, 3 and so on to a user, whatever happens meanwhile. */
export class Stream {
  readonly #speaker: Person;
  readonly #to: string;
  readonly #answers: Promise<Published>[] = [];
  readonly #saying: Promise<void>;
  #over = false;

  constructor(speaker: Person, to: string, everyMs = 20) {
    this.#speaker = speaker;
    this.#to = to;
    this.#saying = this.#say(everyMs);
  }

  /** How many have been said. */
  get sent(): number {
    return this.#answers.length;
  }

  /** Resolves with the answers, each of which said `published`. Rejects when one was refused. */
  async end(): Promise<readonly Published[]> {
    this.#over = true;
    await this.#saying;
    return Promise.all(this.#answers);
  }

  async #say(everyMs: number): Promise<void> {
    for await (const _ of setInterval(everyMs)) {
      if (this.#over) return;
      const answer = this.#speaker.tell(this.#to, this.#answers.length + 1);
      // looked at by end()
      answer.catch(() => {});
      this.#answers.push(answer);
    }
  }
}

/** What is wrong with what a listener heard of a stream; undefined when nothing is missing untold, doubled or out of order. */
export function streamProblem(listener: Person, sent: number): string | undefined {
  const heard = listener.heard.filter((data) => typeof data === 'number');
  const disorder = heard.findIndex((n, i) => i > 0 && n <= (heard[i - 1] ?? 0));
  if (disorder > 0) return `${heard[disorder]} came after ${heard[disorder - 1]}`;
  const missing = Array.from({ length: sent }, (_, i) => i + 1).filter((n) => !heard.includes(n));
  if (missing.length > 0 && listener.gaps.length === 0) return `missing untold: ${missing.join(', ')}`;
  return undefined;
}
