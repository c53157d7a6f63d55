import { failureOf, toError } from './delivery-answer.ts';
import { ClosedError, PushError, UnavailableError, UnknownOutcomeError } from './errors.ts';
import type { Homes } from './homes.ts';
import { endpoint, type NodeTokens } from './port.ts';
import type { Transport } from './transport.ts';

export interface RequestsContext {
  readonly homes: Homes;
  readonly tokens: NodeTokens;
  readonly transport: Transport;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly random: () => number;
}

/** What one attempt came to. */
export type Attempt<T> = { readonly value: T } | { readonly problem: PushError };

const PAUSE_MS = 100;

/** Requests that are safe to repeat, and are until they are answered. */
export class Requests {
  readonly #context: RequestsContext;
  #closed = false;

  constructor(context: RequestsContext) {
    this.#context = context;
  }

  close(): void {
    this.#closed = true;
  }

  /**
   * Asks the home of a channel, or its successor. `path` with its query, `body` as JSON text; a `POST` only asks.
   * @throws PushError (as a rejection)
   */
  ask(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    channel: string,
    path: string,
    body?: string,
  ): Promise<unknown> {
    const { homes, tokens, transport, timeoutMs, attemptTimeoutMs } = this.#context;
    /** Why an earlier attempt may have done what was asked. */
    let open: PushError | undefined;
    return this.until(timeoutMs, async () => {
      const ring = homes.ring();
      if (ring instanceof PushError) return { problem: open ?? ring };
      const member = homes.of(ring, channel);
      const reply = await transport.call({
        method,
        url: endpoint(member, path),
        token: await tokens.tokenFor(member.id),
        timeoutMs: attemptTimeoutMs,
        ...(body !== undefined && { body }),
      });
      if (reply.kind === 'answer') {
        if (reply.status < 300) return { value: JSON.parse(reply.text) };
        const problem = toError(failureOf(reply.status, reply.text), { to: channel });
        if (problem instanceof UnknownOutcomeError) open = problem;
        return { problem: problem.retryable ? (open ?? problem) : problem };
      }
      homes.suspect(member.id);
      const message = `${member.id} does not answer`;
      const fields = { to: channel, cause: reply.cause };
      const changes = method === 'PUT' || method === 'DELETE';
      if (reply.kind === 'unanswered' && changes) open = new UnknownOutcomeError(message, fields);
      return { problem: open ?? new UnavailableError(message, fields) };
    });
  }

  /** Repeats until there is a value, a problem that will not pass, or no time left. */
  async until<T>(timeoutMs: number, attempt: () => Promise<Attempt<T>> | Attempt<T>): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      if (this.#closed) throw new ClosedError('this RingwayPush was closed');
      const outcome = await attempt();
      if ('value' in outcome) return outcome.value;
      if (!outcome.problem.retryable || performance.now() > deadline) throw outcome.problem;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * this.#context.random()));
    }
  }
}
