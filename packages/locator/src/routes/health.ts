import { HTTP } from '@ringway/protocol';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from '../problem.ts';
import { problems, statusAnswer } from '../schemas.ts';

/** `/healthz`: the process lives. `/readyz`: it has read the ring, and is not stopping. Neither asks the registry. */
export function healthRoutes(app: FastifyInstance, ready: () => boolean): void {
  const tags = ['health'];
  app.get(
    HTTP.healthz,
    { schema: { tags, summary: 'Whether the process lives', response: { 200: statusAnswer } } },
    (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }),
  );
  app.get(
    HTTP.readyz,
    {
      schema: {
        tags,
        summary: 'Whether to send requests here',
        response: { 200: statusAnswer, ...problems(503) },
      },
    },
    (_request, reply) => {
      if (!ready()) throw new ProblemError('not_ready', 'starting or stopping', { retryAfterMs: 1000 });
      return reply.header('cache-control', 'no-store').send({ status: 'ready' });
    },
  );
}
