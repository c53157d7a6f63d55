import { HTTP, type SessionInfo, userChannel } from '@ringway/protocol';
import type { FastifyInstance } from 'fastify';
import type { Router } from '../../router/port.ts';
import { type CallerOptions, callerOf } from '../caller.ts';
import { HttpProblem, userIdOf } from '../problem.ts';

export interface SessionRoutesOptions extends CallerOptions {
  readonly router: Router;
  sessionsOf(userId: string): SessionInfo[];
}

const MAX_BAN_SECONDS = 86_400;

/** `GET /sessions?userId=`: those of this node. `DELETE`: ends the user's sessions, wherever they are. */
export function sessionRoutes(app: FastifyInstance, options: SessionRoutesOptions): void {
  app.get<{ Querystring: { userId?: string } }>(HTTP.sessions, (request) => {
    callerOf(options, request);
    return { sessions: options.sessionsOf(userIdOf(request.query.userId)) };
  });
  app.delete<{ Querystring: { userId?: string; banSeconds?: string } }>(HTTP.sessions, (request, reply) => {
    callerOf(options, request);
    const userId = userIdOf(request.query.userId);
    const banSeconds = Number(request.query.banSeconds ?? 0);
    if (!Number.isInteger(banSeconds) || banSeconds < 0 || banSeconds > MAX_BAN_SECONDS) {
      throw new HttpProblem(
        'bad_request',
        `banSeconds: expected a whole number from 0 to ${MAX_BAN_SECONDS}`,
      );
    }
    options.router.kick(userChannel(userId), banSeconds);
    return reply.code(202).send({ userId, banSeconds });
  });
}
