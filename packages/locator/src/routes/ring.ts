import { HTTP, type RingDocument } from '@ringway/protocol';
import { RING_FORMAT } from '@ringway/ring';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from '../problem.ts';
import type { RingSource } from '../ring-source.ts';
import type { RingWaiters } from '../ring-waiters.ts';
import { problems, ringAnswer, ringQuery } from '../schemas.ts';

interface RingQuery {
  readonly index?: string;
  readonly checksum?: string;
  readonly wait?: string;
}

const MAX_WAIT_MS = 60_000;

/** `GET /ring`: the members and the ring's version; with `index` and `wait`, when they are other than the caller's. */
export function ringRoutes(app: FastifyInstance, source: RingSource, waiters: RingWaiters): void {
  app.get<{ Querystring: RingQuery }>(
    HTTP.ring,
    {
      schema: {
        tags: ['backends'],
        summary: 'The ring',
        description:
          'With `index` and `wait` the answer comes when the ring is another, or after that time as it is.',
        querystring: ringQuery,
        response: { 200: ringAnswer, ...problems(400, 401, 403, 503) },
      },
    },
    async (request, reply) => {
      const { index, checksum, wait } = request.query;
      if (index !== undefined && wait !== undefined) {
        const gone = new AbortController();
        const leave = () => gone.abort();
        request.raw.socket.once('close', leave);
        try {
          await waiters.wait(
            checksum === undefined ? { index } : { index, checksum },
            waitMs(wait),
            gone.signal,
          );
        } finally {
          request.raw.socket.off('close', leave);
        }
      }
      return reply.header('cache-control', 'no-store').send(ringDocument(source));
    },
  );
}

function waitMs(text: string): number {
  const value = Number.parseInt(text, 10) * (text.endsWith('ms') ? 1 : 1000);
  return Math.min(value, MAX_WAIT_MS);
}

// The ring's own members are what its checksum is over: one that is listed as up can still be outside (its ring format).
function ringDocument({ current, snapshot }: RingSource): RingDocument {
  if (!snapshot)
    throw new ProblemError('not_ready', 'the ring has not been read yet', { retryAfterMs: 1000 });
  const { index, checksum } = current.version;
  const inside = current.members.map((member) => ({ ...member, state: 'up' }));
  const outside = snapshot.members.filter(({ id, state }) => state !== 'up' && !current.has(id));
  return { index, checksum, format: RING_FORMAT, members: [...inside, ...outside] };
}
