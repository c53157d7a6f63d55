import type { FastifyInstance } from 'fastify';
import type { SdkBundle } from '../sdk.ts';

/** Where the SDK's bundle is served. */
export const SDK_PATH = '/sdk/ringway.js';

/** The SDK for browsers. Any page may load it: it holds no secret, and a module script needs CORS. */
export function sdkRoutes(app: FastifyInstance, bundle: SdkBundle): void {
  app.get(
    SDK_PATH,
    { schema: { tags: ['public'], summary: 'The SDK for browsers', produces: ['text/javascript'] } },
    (request, reply) => {
      reply
        .header('etag', bundle.etag)
        .header('cache-control', 'public, max-age=300, stale-while-revalidate=86400')
        .header('access-control-allow-origin', '*')
        .header('cross-origin-resource-policy', 'cross-origin')
        .header('x-content-type-options', 'nosniff')
        .type('text/javascript; charset=utf-8');
      const known = request.headers['if-none-match'];
      const same = known
        ?.split(',')
        .some((tag) => tag.trim().replace(/^W\//, '') === bundle.etag || tag.trim() === '*');
      return same ? reply.code(304).send() : reply.send(bundle.body);
    },
  );
}
