import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { HTTP } from '@ringway/protocol';
import { type KeyFamily, verifyClusterToken } from '@ringway/service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bearerToken } from './auth/claims.ts';
import { UnauthenticatedError } from './auth/errors.ts';
import { type BaseAppOptions, createBaseApp } from './base-app.ts';
import type { LocatorMetrics } from './metrics.ts';
import { mergeDocuments, type OpenApiDocument, SECURITY_SCHEMES } from './openapi.ts';
import { ProblemError } from './problem.ts';
import type { RingSource } from './ring-source.ts';
import type { RingWaiters } from './ring-waiters.ts';
import type { Router } from './router.ts';
import { healthRoutes } from './routes/health.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { ownerRoutes } from './routes/owner.ts';
import { ringRoutes } from './routes/ring.ts';

/** Audience of the cluster tokens that a locator takes. */
export const LOCATOR_AUDIENCE = 'locator';

/** What the internal listener is made of. */
export interface InternalAppOptions extends BaseAppOptions {
  readonly cluster: string;
  readonly clusterKeys: KeyFamily;
  /** No tokens are asked for. On loopback only. */
  readonly open: boolean;
  readonly source: RingSource;
  readonly waiters: RingWaiters;
  readonly router: Router;
  readonly metrics: LocatorMetrics;
  readonly ready: () => boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The public listener's OpenAPI document. */
  readonly publicDocument: () => OpenApiDocument;
}

/** The listener for backends, operators and Prometheus: `/ring`, `/owner`, `/metrics`, `/docs`, health. */
export async function createInternalApp(options: InternalAppOptions): Promise<FastifyInstance> {
  const app = createBaseApp(options);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ringway locator',
        version: '1',
        description: 'Paths tagged "public" are on the public listener, all others on the internal one.',
      },
      components: SECURITY_SCHEMES,
    },
    transformObject: (document) =>
      'openapiObject' in document
        ? mergeDocuments(document.openapiObject as OpenApiDocument, options.publicDocument())
        : document.swaggerObject,
  });
  await app.register(swaggerUi, { routePrefix: HTTP.docs });
  healthRoutes(app, options.ready);
  metricsRoutes(app, options.metrics);
  await app.register((scope, _options, done) => {
    const subjects = new WeakMap<FastifyRequest, string>();
    scope.addHook('onRoute', (route) => {
      route.schema = { ...route.schema, security: [{ cluster: [] }] };
    });
    scope.addHook('onRequest', (request, _reply, next) => {
      subjects.set(request, options.open ? 'anonymous' : authorise(request, options));
      next();
    });
    ringRoutes(scope, options.source, options.waiters);
    ownerRoutes(scope, options.router, (request) => subjects.get(request) ?? 'anonymous');
    done();
  });
  return app;
}

/** @returns who speaks. @throws UnauthenticatedError | ProblemError `forbidden` */
function authorise(request: FastifyRequest, { cluster, clusterKeys, now }: InternalAppOptions): string {
  const verified = verifyClusterToken(clusterKeys, bearerToken(request.headers), {
    now: now(),
    issuer: cluster,
    audience: LOCATOR_AUDIENCE,
    scopes: ['push', 'admin'],
  });
  if (verified.ok) return verified.claims.sub;
  if (verified.reason === 'scope')
    throw new ProblemError('forbidden', 'the token’s scope must be push or admin');
  throw new UnauthenticatedError(`cluster token refused: ${verified.reason}`);
}
