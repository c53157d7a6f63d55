import { expect } from 'vitest';
import type { TestClient } from './client.ts';
import { waitFor } from './cluster.ts';

/** Publishes numbers to one target, one after another, without waiting for answers, until it is stopped. */
export class Talker {
  readonly speaker: TestClient;
  private readonly to: unknown;
  private readonly name: string;
  private timer: NodeJS.Timeout | undefined;
  sent = 0;

  constructor(client: TestClient, to: unknown, name = 't') {
    this.speaker = client;
    this.to = to;
    this.name = name;
  }

  start(everyMs = 5): this {
    this.timer = setInterval(() => this.say(), everyMs);
    return this;
  }

  say(): void {
    this.speaker.send({ type: 'publish', to: this.to, id: `${this.name}-${this.sent}`, data: this.sent });
    this.sent++;
  }

  /** Goes on until so many more are out. */
  async more(count: number): Promise<void> {
    const until = this.sent + count;
    await waitFor(() => this.sent >= until, `${count} more`);
  }

  /** Answers so far, by number: `published`, or the code of an error. */
  answers(): Map<number, string> {
    const answers = new Map<number, string>();
    for (const frame of this.speaker.frames) {
      if ((frame.type !== 'published' && frame.type !== 'error') || !frame.id?.startsWith(`${this.name}-`))
        continue;
      const number = Number(frame.id.slice(this.name.length + 1));
      expect(answers.has(number), `${frame.id} was answered twice`).toBe(false);
      answers.set(number, frame.type === 'published' ? 'published' : frame.code);
    }
    return answers;
  }

  /** Stops, and waits until each was answered. */
  async stop(): Promise<Map<number, string>> {
    clearInterval(this.timer);
    await waitFor(() => this.answers().size === this.sent, 'an answer to each');
    return this.answers();
  }
}

/** The numbers that a client has got on a channel. */
export function numbers(client: TestClient, channel?: string): number[] {
  return client
    .all('message')
    .filter((message) => channel === undefined || message.channel === channel)
    .map(({ data }) => data)
    .filter((data) => typeof data === 'number');
}

/**
 * What a client may rightly have got of a stream of numbers: each at most once, in order, and when one of those that were
 * stored is missing behind the first that came, then a gap was told.
 */
export function expectTold(client: TestClient, stored: Iterable<number>): void {
  const got = numbers(client);
  expect(new Set(got).size, `doubled: ${got.filter((n, i) => got.indexOf(n) !== i)}`).toBe(got.length);
  expect(got).toEqual([...got].sort((a, b) => a - b));
  const missing = [...stored].filter((n) => n >= (got[0] ?? Number.POSITIVE_INFINITY) && !got.includes(n));
  if (missing.length > 0) expect(client.all('gap').length, `missing untold: ${missing}`).toBeGreaterThan(0);
}

export function published(answers: Map<number, string>): number[] {
  return [...answers].filter(([, answer]) => answer === 'published').map(([number]) => number);
}
