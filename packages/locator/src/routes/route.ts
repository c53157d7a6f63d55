import { ERRORS, HTTP, isUserId } from '@ringway/protocol';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { InvalidUserIdError } from '../auth/errors.ts';
import type { Authenticate, Caller } from '../auth/port.ts';
import { sendProblem } from '../base-app.ts';
import type { LocatorMetrics } from '../metrics.ts';
import type { Overload } from '../overload.ts';
import { ProblemError, problemOf } from '../problem.ts';
import type { RateLimiter } from '../rate-limit.ts';
import { routeAnswerJson } from '../route-answer.ts';
import type { Router } from '../router.ts';
import { routeSchema } from '../schemas.ts';

/** What `/route` is made of. */
export interface RouteOptions {
  readonly authenticate: Authenticate;
  readonly limiter: RateLimiter;
  readonly router: Router;
  readonly metrics: LocatorMetrics;
  readonly overload: Overload;
  readonly onFault: (error: unknown) => void;
}

interface RouteQuery {
  readonly userId?: string;
  readonly avoid?: readonly string[];
}

const NONE: readonly string[] = Object.freeze([]);

/** `GET /route`: who asks, may they, where to. Without a promise where the authentication needs none. */
export function routeRoutes(app: FastifyInstance, options: RouteOptions): void {
  const { authenticate, limiter, router, metrics, overload, onFault } = options;

  const answer = (caller: Caller, query: RouteQuery, began: number, reply: FastifyReply): FastifyReply => {
    const wait = limiter.take(caller.userId, began);
    if (wait > 0)
      throw new ProblemError('rate_limited', 'too many requests of this caller', { retryAfterMs: wait });
    const { userId } = query;
    if (userId !== undefined && userId !== caller.userId) {
      if (!isUserId(userId)) throw new InvalidUserIdError('parameter userId');
      throw new ProblemError('forbidden', 'userId is not the caller’s own');
    }
    const found = router.route(caller, query.avoid ?? NONE);
    metrics.route('ok', (performance.now() - began) / 1000);
    return reply.header('cache-control', 'no-store').send(found);
  };

  const refuse = (error: unknown, began: number, reply: FastifyReply): FastifyReply => {
    const problem = problemOf(error);
    if (problem.code === 'internal') onFault(error);
    metrics.route(problem.code, (performance.now() - began) / 1000);
    return sendProblem(reply, problem);
  };

  app.get<{ Querystring: RouteQuery }>(
    HTTP.route,
    {
      exposeHeadRoute: false,
      schema: routeSchema,
      serializerCompiler: ({ httpStatus }) => (httpStatus === '200' ? routeAnswerJson : JSON.stringify),
      errorHandler: (error, _request, reply) => refuse(error, performance.now(), reply),
    },
    (request, reply) => {
      const began = performance.now();
      const { query } = request;
      try {
        // before anything that costs: most of what is asked now is asked again by who has given up waiting
        const wait = overload.retryAfterMs;
        if (wait > 0) throw new ProblemError('overloaded', ERRORS.overloaded.means, { retryAfterMs: wait });
        const caller = authenticate({ headers: request.headers, userId: query.userId });
        if (!(caller instanceof Promise)) return answer(caller, query, began, reply);
        return caller
          .then((known) => answer(known, query, began, reply))
          .catch((error) => refuse(error, began, reply));
      } catch (error) {
        return refuse(error, began, reply);
      }
    },
  );
}
