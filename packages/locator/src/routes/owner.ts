import { HTTP } from '@ringway/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Router } from '../router.ts';
import { ownerAnswer, ownerQuery, ownersAnswer, ownersBody, problems } from '../schemas.ts';

/** `/owner`: where backends push to. `subject` tells who asks, from what the listener has authenticated. */
export function ownerRoutes(
  app: FastifyInstance,
  router: Router,
  subject: (request: FastifyRequest) => string,
): void {
  const description = 'The token is for that node alone, and lives for 60 seconds.';
  app.get<{ Querystring: { userId: string } }>(
    HTTP.owner,
    {
      schema: {
        tags: ['backends'],
        summary: 'The home of a user',
        description,
        querystring: ownerQuery,
        response: { 200: ownerAnswer, ...problems(400, 401, 403, 503) },
      },
    },
    (request, reply) => {
      const [owner] = router.owners(subject(request), [request.query.userId]);
      return reply.header('cache-control', 'no-store').send(owner);
    },
  );
  app.post<{ Body: { userIds: readonly string[] } }>(
    HTTP.owner,
    {
      schema: {
        tags: ['backends'],
        summary: 'The homes of many users',
        description,
        body: ownersBody,
        response: { 200: ownersAnswer, ...problems(400, 401, 403, 413, 503) },
      },
    },
    (request, reply) => {
      const owners = router.owners(subject(request), request.body.userIds);
      return reply.header('cache-control', 'no-store').send({ owners });
    },
  );
}
