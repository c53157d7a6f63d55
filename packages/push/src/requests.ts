import { failureOf, toError } from './delivery-answer.ts';
import { ClosedError, PushError, UnavailableError } from './errors.ts';
import type { Homes } from './homes.ts';
import { endpoint, type NodeTokens } from './port.ts';
import type { Call, Transport } from './transport.ts';

export interface RequestsInit {
  readonly homes: Homes;
  readonly tokens: NodeTokens;
  readonly transport: Transport;
  /** How long a request may take in all, retries included, milliseconds. */
  readonly timeoutMs: number;
  /** How long one attempt may take before the successor is asked, milliseconds. */
  readonly attemptTimeoutMs: number;
  /** A number of [0, 1). */
  readonly random: () => number;
}

/** A request to a channel's home, in which nothing is published. */
export interface NodeRequest extends Pick<Call, 'method' | 'body'> {
  /** With its query. */
  readonly path: string;
}

const PAUSE_MS = 100;

/** What is asked of homes and is safe to repeat: again, of the successor too, until it is answered or its time is up. */
export class Requests {
  readonly #init: RequestsInit;
  #closed = false;

  constructor(init: RequestsInit) {
    this.#init = init;
  }

  close(): void {
    this.#closed = true;
  }

  /** The answer's JSON. @throws PushError (as a rejection) */
  ask(channel: string, { method, path, body }: NodeRequest): Promise<unknown> {
    const { homes, tokens, transport, timeoutMs, attemptTimeoutMs } = this.#init;
    return this.until(timeoutMs, async () => {
      const ring = homes.ring();
      if (ring instanceof PushError) return { problem: ring };
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
        return { problem: toError(failureOf(reply.status, reply.text), { to: channel }) };
      }
      homes.suspect(member.id);
      return {
        problem: new UnavailableError(`${member.id} does not answer`, { to: channel, cause: reply.cause }),
      };
    });
  }

  /** Repeats until there is a value, a problem that will not pass, or no time left. */
  async until<T>(
    timeoutMs: number,
    attempt: () => Promise<{ value: T } | { problem: PushError }> | { value: T } | { problem: PushError },
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      if (this.#closed) throw new ClosedError('this RingwayPush was closed');
      const outcome = await attempt();
      if ('value' in outcome) return outcome.value;
      if (!outcome.problem.retryable || performance.now() > deadline) throw outcome.problem;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * this.#init.random()));
    }
  }
}
