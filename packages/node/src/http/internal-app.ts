import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { HTTP, MAX_NAME_BYTES } from '@ringway/protocol';
import type { Logger, TlsMaterial } from '@ringway/service';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { HttpProblem, problemOf } from './problem.ts';
import { refuse } from './refuse.ts';
import { type DrainRoutesOptions, drainRoutes } from './routes/drain.ts';
import { type GroupRoutesOptions, groupRoutes } from './routes/groups.ts';
import { type HealthRoutesOptions, healthRoutes } from './routes/health.ts';
import { type PresenceRoutesOptions, presenceRoutes } from './routes/presence.ts';
import { type PublishRoutesOptions, publishRoutes } from './routes/publish.ts';
import { type SessionRoutesOptions, sessionRoutes } from './routes/sessions.ts';

export interface InternalAppOptions
  extends HealthRoutesOptions,
    PublishRoutesOptions,
    SessionRoutesOptions,
    PresenceRoutesOptions,
    DrainRoutesOptions,
    GroupRoutesOptions {
  readonly tls: TlsMaterial | undefined;
  readonly bodyBytes: number;
  readonly headerTimeoutMs: number;
  readonly logger: Logger;
  acceptPeer(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/**
 * The internal listener: peers open their links here, backends publish, health checks and Prometheus ask. Not to be
 * reached from outside.
 */
export function internalApp(options: InternalAppOptions): FastifyInstance {
  const limits = {
    headersTimeout: options.headerTimeoutMs,
    maxHeaderSize: 8 * 1024,
    connectionsCheckingInterval: Math.min(1_000, options.headerTimeoutMs),
  };
  const settings = {
    // with https the settings of http are not looked at
    ...(options.tls
      ? { https: { ...limits, ...options.tls, handshakeTimeout: options.headerTimeoutMs } }
      : { http: limits }),
    logger: false,
    bodyLimit: options.bodyBytes,
    forceCloseConnections: true,
    requestTimeout: 30_000,
    // a user id or the name of a group, each of its bytes as %XX
    routerOptions: { maxParamLength: 3 * MAX_NAME_BYTES },
    // what fails before a route is found, such as a path that cannot be unescaped
    frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      sendProblem(options.logger, reply, error);
    },
  };
  const app = fastify(settings as { logger: false });
  app.removeAllContentTypeParsers();
  // bodies stay bytes: `data` is passed on as it was written
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) =>
    sendProblem(options.logger, reply, error),
  );
  app.setNotFoundHandler((request, reply) =>
    sendProblem(options.logger, reply, new HttpProblem('not_found', `no ${request.url}`)),
  );
  (app.server as Server).on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    if (request.url?.split('?')[0] === HTTP.peer) options.acceptPeer(request, socket, head);
    else refuse(socket, 404);
  });
  healthRoutes(app, options);
  publishRoutes(app, options);
  sessionRoutes(app, options);
  presenceRoutes(app, options);
  groupRoutes(app, options);
  drainRoutes(app, options);
  return app;
}

function sendProblem(
  logger: Logger,
  reply: FastifyReply,
  error: Error & { readonly statusCode?: number },
): FastifyReply {
  const problem = problemOf(error);
  if (problem.code === 'internal') logger.error({ err: error }, 'a request failed');
  if (problem.retryAfterMs !== undefined) {
    reply.header('retry-after', String(Math.ceil(problem.retryAfterMs / 1000)));
  }
  return reply
    .code(problem.status)
    .header('content-type', HTTP.problemType)
    .header('cache-control', 'no-store')
    .send(JSON.stringify(problem));
}
