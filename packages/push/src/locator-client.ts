import { HTTP, type OwnerAnswer, type RingDocument } from '@ringway/protocol';
import { problemError } from './delivery-answer.ts';
import { UnavailableError } from './errors.ts';
import type { Transport } from './transport.ts';

/** The audience of a token for a locator. */
export const LOCATOR_AUDIENCE = 'locator';

const ANSWER_MS = 5_000;

/** What is asked of a locator, as `GET /ring` takes it. */
export interface RingQuery {
  /** Answer only when the ring has another index, or after `waitMs`. */
  readonly index?: string;
  readonly waitMs?: number;
  readonly signal: AbortSignal;
}

/** The internal listeners of any number of locators: the one that answered last is asked first. */
export class LocatorClient {
  readonly #urls: readonly string[];
  readonly #transport: Transport;
  readonly #token: () => Promise<string> | string;
  #preferred = 0;

  constructor(urls: readonly string[], transport: Transport, token: () => Promise<string> | string) {
    this.#urls = urls;
    this.#transport = transport;
    this.#token = token;
  }

  /** @throws PushError */
  ring({ index, waitMs = 0, signal }: RingQuery): Promise<RingDocument> {
    const query =
      index === undefined ? '' : `?index=${encodeURIComponent(index)}&wait=${Math.ceil(waitMs / 1000)}s`;
    return this.#ask<RingDocument>(HTTP.ring + query, ANSWER_MS + waitMs * 1.07, signal);
  }

  /** @throws PushError */
  owner(userId: string, signal: AbortSignal): Promise<OwnerAnswer> {
    return this.#ask<OwnerAnswer>(`${HTTP.owner}?userId=${encodeURIComponent(userId)}`, ANSWER_MS, signal);
  }

  async #ask<T>(path: string, timeoutMs: number, signal: AbortSignal): Promise<T> {
    const failures: unknown[] = [];
    const first = this.#preferred;
    for (let i = 0; i < this.#urls.length && !signal.aborted; i++) {
      const at = (first + i) % this.#urls.length;
      const url = this.#urls[at] ?? '';
      const reply = await this.#transport.call({
        method: 'GET',
        url: url + path,
        token: await this.#token(),
        timeoutMs,
        signal,
      });
      if (reply.kind !== 'answer') {
        failures.push(reply.cause);
        continue;
      }
      if (reply.status === 200) {
        this.#preferred = at;
        return JSON.parse(reply.text) as T;
      }
      failures.push(problemError(reply.status, reply.text, url));
    }
    // one answer tells more than a list of connections that failed
    const told = failures.find((failure) => failure instanceof Error && 'retryable' in failure);
    if (told !== undefined) throw told;
    throw new UnavailableError(`no locator answers (${this.#urls.join(', ')})`, { cause: failures.at(-1) });
  }
}
