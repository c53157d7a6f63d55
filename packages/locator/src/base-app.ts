import type { Problem } from '@ringway/protocol';
import { type Logger, readTls, type TlsFiles } from '@ringway/service';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { ProblemError, problemOf } from './problem.ts';

/** Both listeners' limits; nobody may hold a socket without saying what they want. */
const LIMITS = Object.freeze({
  headerBytes: 8192,
  bodyBytes: 512 * 1024,
  /** For the TLS handshake, for the headers, and for the whole request, in milliseconds. */
  timeout: 5000,
  keepAlive: 65_000,
});

/** What both listeners are made of. */
export interface BaseAppOptions {
  readonly logger: Logger;
  readonly tls?: TlsFiles;
}

/** A Fastify application with the limits, and with every refusal as application/problem+json. */
export function createBaseApp({ logger, tls }: BaseAppOptions): FastifyInstance {
  const server = {
    maxHeaderSize: LIMITS.headerBytes,
    headersTimeout: LIMITS.timeout,
    requestTimeout: LIMITS.timeout,
    connectionsCheckingInterval: 1000,
  };
  const common = {
    bodyLimit: LIMITS.bodyBytes,
    requestTimeout: LIMITS.timeout,
    keepAliveTimeout: LIMITS.keepAlive,
    requestIdHeader: false as const,
    routerOptions: { maxParamLength: 256 },
    // one line a request would cost more than the request; metrics count them instead
    logger: false as const,
    // what fails before a route is found, such as a path that cannot be unescaped
    frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void => {
      sendProblem(reply, problemOf(error));
    },
  };
  const app = tls
    ? (fastify({
        ...common,
        https: { ...server, ...readTls(tls), handshakeTimeout: LIMITS.timeout, minVersion: 'TLSv1.2' },
      }) as unknown as FastifyInstance)
    : fastify({ ...common, http: server });

  // it would be read as a string, and refused for that: 415 names the header
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    if (problem.code === 'internal')
      logger.error({ err: error, route: request.routeOptions.url }, 'request failed');
    return sendProblem(reply, problem);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, problemOf(new ProblemError('not_found', `no ${request.method} at this path`))),
  );
  return app;
}

/** Answers with a refusal. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  if (problem.retryAfterMs !== undefined)
    reply.header('retry-after', String(Math.ceil(problem.retryAfterMs / 1000)));
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problem);
}
