import { after } from '@ringway/link';
import type { HTTP, Problem, RouteAnswer } from '@ringway/protocol';
import { RouteError, TokenError } from './errors.ts';
import type { ResolvedOptions } from './options.ts';

/** Literal, so that the rest of the table does not go to browsers. */
const ROUTE: typeof HTTP.route = '/route';

/** Statuses that say the same whichever locator is asked, and however often. */
const FINAL = [400, 401, 403];

/** Asks `/route`: one locator after the other, with the application's token. */
export class RouteAsker {
  readonly #options: ResolvedOptions;
  /** The locator that answered last. */
  #at = 0;
  #token: string | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  /** The next question is asked with a new token. */
  forgetToken(): void {
    this.#token = undefined;
  }

  /**
   * Where to connect to. A token that is refused is renewed once.
   *
   * @throws RouteError | TokenError
   */
  async ask(avoid: readonly string[], signal: AbortSignal): Promise<RouteAnswer> {
    for (let renewed = false; ; renewed = true) {
      try {
        return await this.#askEach(avoid, signal);
      } catch (error) {
        if (!(error instanceof RouteError) || error.status !== 401) throw error;
        this.forgetToken();
        if (renewed || !this.#options.getToken) throw error;
      }
    }
  }

  async #askEach(avoid: readonly string[], signal: AbortSignal): Promise<RouteAnswer> {
    const { locator, getToken, userId } = this.#options;
    if (getToken && this.#token === undefined) {
      try {
        this.#token = await getToken();
      } catch (error) {
        throw new TokenError('getToken gave no token', { cause: error });
      }
    }
    const query = new URLSearchParams(avoid.map((nodeId) => ['avoid', nodeId]));
    if (userId !== undefined) query.set('userId', userId);
    let failure: RouteError | undefined;
    for (let i = 0; i < locator.length; i++) {
      const at = (this.#at + i) % locator.length;
      try {
        const answer = await this.#askOne(`${locator[at]?.replace(/\/+$/, '')}${ROUTE}?${query}`, signal);
        this.#at = at;
        return answer;
      } catch (error) {
        if (!(error instanceof RouteError) || error.terminal || signal.aborted) throw error;
        // an answer tells more than silence
        if (!failure || error.status > 0) failure = error;
      }
    }
    throw failure;
  }

  async #askOne(url: string, signal: AbortSignal): Promise<RouteAnswer> {
    const { clock, connectTimeoutMs, fetch } = this.#options;
    const abort = new AbortController();
    const give = () => abort.abort();
    const cancel = after(clock, connectTimeoutMs, give);
    signal.addEventListener('abort', give);
    try {
      const headers: Record<string, string> =
        this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
      const response = await fetch(url, { headers, cache: 'no-store', signal: abort.signal });
      const body: unknown = await response.json().catch(() => undefined);
      if (response.status === 200 && isAnswer(body)) return body;
      throw refusal(response, body);
    } catch (error) {
      if (error instanceof RouteError) throw error;
      throw new RouteError('unreachable', 0, `${new URL(url).origin} did not answer`, { cause: error });
    } finally {
      cancel();
      signal.removeEventListener('abort', give);
    }
  }
}

function isAnswer(body: unknown): body is RouteAnswer {
  const { url, nodeId, ticket } = (body ?? {}) as Partial<Record<keyof RouteAnswer, unknown>>;
  return typeof url === 'string' && typeof nodeId === 'string' && typeof ticket === 'string';
}

function refusal({ status, headers }: Response, body: unknown): RouteError {
  const {
    code = status === 200 ? 'internal' : 'unavailable',
    detail = code,
    retryAfterMs,
  } = (body ?? {}) as Partial<Problem>;
  return new RouteError(code, status, `${status} ${detail}`, {
    terminal: FINAL.includes(status),
    // a date instead of seconds is no number, and the backoff will do
    retryAfterMs: retryAfterMs ?? (Number(headers.get('retry-after')) * 1000 || 0),
  });
}
