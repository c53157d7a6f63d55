import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import { originAllowed } from '@ringway/service';
import type { FastifyInstance } from 'fastify';
import { type BaseAppOptions, createBaseApp } from './base-app.ts';
import { SECURITY_SCHEMES } from './openapi.ts';
import { healthRoutes } from './routes/health.ts';
import { type RouteOptions, routeRoutes } from './routes/route.ts';
import { sdkRoutes } from './routes/sdk.ts';
import type { SdkFile } from './sdk.ts';

/** What the public listener is made of. */
export interface PublicAppOptions extends BaseAppOptions {
  readonly route: RouteOptions;
  readonly ready: () => boolean;
  /** Read at each request: SIGHUP may have changed them. */
  readonly origins: () => readonly string[];
  readonly sdk: readonly SdkFile[];
}

/** The listener that clients reach: `/route`, `/healthz`, `/readyz`, the SDK. */
export async function createPublicApp(options: PublicAppOptions): Promise<FastifyInstance> {
  const app = createBaseApp(options);
  // collects the schemas for the page on the internal listener; serves nothing here
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Ringway locator', version: '1' },
      components: SECURITY_SCHEMES,
    },
  });
  healthRoutes(app, options.ready);
  sdkRoutes(app, options.sdk);
  await app.register((scope, _options, done) => {
    void scope.register(cors, {
      origin: (origin, allow) =>
        allow(null, origin !== undefined && originAllowed(options.origins(), origin)),
      methods: ['GET'],
      allowedHeaders: ['authorization'],
      exposedHeaders: ['retry-after'],
      maxAge: 600,
    });
    routeRoutes(scope, options.route);
    done();
  });
  return app;
}
