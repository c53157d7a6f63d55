import type { FastifyInstance } from 'fastify';
import type { SdkFile } from '../sdk.ts';

const FOLDER = '/sdk/';

/** The SDK for browsers. Any page may load it: it holds no secret, and a module script needs CORS. */
export function sdkRoutes(app: FastifyInstance, files: readonly SdkFile[]): void {
  for (const file of files) sdkRoute(app, file);
}

function sdkRoute(app: FastifyInstance, { name, body, etag }: SdkFile): void {
  app.get(
    `${FOLDER}${name}`,
    { schema: { tags: ['public'], summary: `The SDK for browsers: ${name}`, produces: ['text/javascript'] } },
    (request, reply) => {
      reply
        .header('etag', etag)
        .header('cache-control', 'public, max-age=300, stale-while-revalidate=86400')
        .header('access-control-allow-origin', '*')
        .header('cross-origin-resource-policy', 'cross-origin')
        .header('x-content-type-options', 'nosniff')
        .type('text/javascript; charset=utf-8');
      const known = request.headers['if-none-match'];
      const same = known
        ?.split(',')
        .some((tag) => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*');
      return same ? reply.code(304).send() : reply.send(body);
    },
  );
}
