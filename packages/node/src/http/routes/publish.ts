import { ERRORS, type ErrorCode, HTTP, type PublishAnswer, serviceSender } from '@ringway/protocol';
import type { FastifyInstance } from 'fastify';
import type { Outcome, Router } from '../../router/port.ts';
import { jsonFromWire, quote } from '../../text.ts';
import { type CallerOptions, callerOf } from '../caller.ts';
import { HttpProblem } from '../problem.ts';
import { type BadOrder, type PublishOrder, readPublishBody } from '../publish-body.ts';

export interface PublishRoutesOptions extends CallerOptions {
  readonly maxListUsers: number;
  readonly router: Router;
  /** Gives an id to a publish that has none. */
  readonly messageId: () => string;
  count(result: string, by?: number): void;
}

/** When to publish again while the links to the peers are full, in milliseconds. */
const CONGESTED_RETRY_MS = 1_000;

/** `POST /publish`: one publish, or an array of them. */
export function publishRoutes(app: FastifyInstance, options: PublishRoutesOptions): void {
  app.post(HTTP.publish, async (request, reply) => {
    const from = quote(serviceSender(callerOf(options, request)));
    if (!Buffer.isBuffer(request.body))
      throw new HttpProblem('bad_request', 'expected a body of type application/json');
    // a backend cannot be read more slowly as a session is: what it would add could cost everyone the link
    if (options.router.congested) {
      throw new HttpProblem('unavailable', 'peers take less than they are given', CONGESTED_RETRY_MS);
    }
    const orders = readPublishBody(request.body, options.maxListUsers);
    if (Array.isArray(orders)) {
      const answers = await Promise.all(orders.map((order) => place(options, from, order)));
      return reply.send(answers);
    }
    const answer = await place(options, from, orders);
    if (answer.error) throw new HttpProblem(answer.error.code, answer.error.message);
    return reply.send(answer);
  });
}

function place(
  options: PublishRoutesOptions,
  from: string,
  order: PublishOrder | BadOrder,
): Promise<PublishAnswer> {
  if ('code' in order) {
    options.count(order.code);
    return Promise.resolve(answerOf(order.id, failed(order.code, order.message)));
  }
  const id = order.id ?? quote(options.messageId());
  const { data, ephemeral, channels, users } = order;
  return new Promise((resolve) => {
    if (users) {
      options.router.publishMany({ from, id, data, ephemeral }, channels, (outcomes) => {
        let reached = 0;
        const results = users.map((to, i) => {
          const { error, ...result } = resultOf(outcomes[i] as Outcome);
          options.count(error?.code ?? 'published');
          reached += result.reached ?? 0;
          return { to, ...result, ...(error ? { error: { code: error.code, message: error.message } } : {}) };
        });
        resolve(answerOf(id, { reached, results }));
      });
      return;
    }
    const done = (outcome: Outcome): void => {
      const result = resultOf(outcome);
      options.count(result.error?.code ?? (result.duplicate ? 'duplicate' : 'published'));
      resolve(answerOf(id, result));
    };
    options.router.publish({ channel: channels[0] as string, from, id, data, ephemeral, done });
  });
}

function answerOf(id: string | undefined, result: Omit<PublishAnswer, 'id'>): PublishAnswer {
  return { id: id === undefined ? '' : (jsonFromWire(id) as string), ...result };
}

function failed(code: ErrorCode, message: string): Omit<PublishAnswer, 'id'> {
  return { error: { code, message, retryable: ERRORS[code].retryable } };
}

function resultOf(outcome: Outcome): Omit<PublishAnswer, 'id'> {
  if (outcome.kind === 'failed') return failed(outcome.code, ERRORS[outcome.code].means);
  const { reached, position, duplicate } = outcome;
  return { reached, ...(position ? { position } : {}), ...(duplicate ? { duplicate } : {}) };
}
