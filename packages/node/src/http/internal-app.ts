import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type ClusterScope,
  type DrainAnswer,
  ERRORS,
  type ErrorCode,
  HTTP,
  isUserId,
  type Problem,
  type PublishAnswer,
  type SessionInfo,
  serviceSender,
  userChannel,
} from '@ringway/protocol';
import { type KeyFamily, type Logger, type TlsMaterial, verifyClusterToken } from '@ringway/service';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Registry } from 'prom-client';
import type { Outcome, Router } from '../router/port.ts';
import { jsonFromWire, quote } from '../text.ts';
import { type BadOrder, type PublishOrder, readPublishBody } from './publish-body.ts';
import { refuse } from './refuse.ts';

export interface InternalAppOptions {
  readonly nodeId: string;
  readonly cluster: string;
  readonly keys: KeyFamily;
  readonly insecure: boolean;
  /** What this node says of itself to whoever asks. */
  readonly about: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial | undefined;
  readonly bodyBytes: number;
  readonly headerTimeoutMs: number;
  readonly maxListUsers: number;
  readonly router: Router;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly messageId: () => string;
  ready(): boolean;
  readonly drain: { begin(): void; cancel(): void; readonly progress: () => DrainAnswer };
  sessionsOf(userId: string): SessionInfo[];
  count(result: string, by?: number): void;
  acceptPeer(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** When to publish again while the links to the peers are full, in milliseconds. */
const CONGESTED_RETRY_MS = 1_000;

/** A refusal that becomes an `application/problem+json` answer. */
class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: ErrorCode;
  readonly statusCode: number;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, detail: string = ERRORS[code].means, retryAfterMs?: number) {
    super(detail);
    this.code = code;
    this.statusCode = ERRORS[code].status;
    this.retryAfterMs = retryAfterMs;
  }
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
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) =>
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

  app.get(HTTP.healthz, () => ({ status: 'ok', nodeId: options.nodeId, ...options.about }));
  app.get(HTTP.readyz, (_request, reply) => {
    if (!options.ready()) return reply.code(503).send({ status: 'not ready', nodeId: options.nodeId });
    return { status: 'ready', nodeId: options.nodeId };
  });
  app.get(HTTP.metrics, async (_request, reply) => {
    reply.header('content-type', options.registry.contentType);
    return options.registry.metrics();
  });
  app.post(HTTP.publish, async (request, reply) => {
    const from = quote(serviceSender(caller(options, request)));
    if (!Buffer.isBuffer(request.body))
      throw new HttpProblem('bad_request', 'expected a body of type application/json');
    // a backend cannot be read more slowly as a session is: what it would add could cost everyone the link
    if (options.router.congested) {
      throw new HttpProblem('unavailable', 'peers take less than they are given', CONGESTED_RETRY_MS);
    }
    const orders = readPublishBody(request.body, options.maxListUsers);
    if (Array.isArray(orders)) {
      const answers = await Promise.all(orders.map((order) => place(options, from, order)));
      return reply.send(answers);
    }
    const answer = await place(options, from, orders);
    if (answer.error) throw new HttpProblem(answer.error.code, answer.error.message);
    return reply.send(answer);
  });
  app.get<{ Querystring: { userId?: string } }>(HTTP.sessions, (request) => {
    caller(options, request);
    return { sessions: options.sessionsOf(userIdOf(request.query.userId)) };
  });
  app.delete<{ Querystring: { userId?: string; banSeconds?: string } }>(HTTP.sessions, (request, reply) => {
    caller(options, request);
    const userId = userIdOf(request.query.userId);
    const banSeconds = Number(request.query.banSeconds ?? 0);
    if (!Number.isInteger(banSeconds) || banSeconds < 0 || banSeconds > 86_400) {
      throw new HttpProblem('bad_request', 'banSeconds: expected a whole number from 0 to 86400');
    }
    options.router.kick(userChannel(userId), banSeconds);
    return reply.code(202).send({ userId, banSeconds });
  });
  app.post(HTTP.drain, (request, reply) => {
    caller(options, request, ['admin']);
    options.drain.begin();
    return reply.code(202).send(options.drain.progress());
  });
  app.get(HTTP.drain, (request) => {
    caller(options, request, ['admin']);
    return options.drain.progress();
  });
  app.delete(HTTP.drain, (request) => {
    caller(options, request, ['admin']);
    options.drain.cancel();
    return options.drain.progress();
  });
  return app;
}

/** The name of whoever calls, by the cluster token. */
function caller(
  options: InternalAppOptions,
  request: FastifyRequest,
  scopes: readonly ClusterScope[] = ['push', 'admin'],
): string {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) {
    if (options.insecure) return 'insecure';
    throw new HttpProblem(
      'unauthenticated',
      `expected Authorization: Bearer and a cluster token of scope ${scopes[0]}`,
    );
  }
  const verified = verifyClusterToken(options.keys, token, {
    now: Date.now(),
    issuer: options.cluster,
    audience: options.nodeId,
    scopes,
  });
  if (verified.ok) return verified.claims.sub;
  const code = verified.reason === 'scope' ? 'forbidden' : 'unauthenticated';
  throw new HttpProblem(code, `the token was refused: ${verified.reason}`);
}

function userIdOf(value: string | undefined): string {
  if (isUserId(value)) return value;
  throw new HttpProblem('invalid_user_id', `userId: ${ERRORS.invalid_user_id.means}`);
}

function place(
  options: InternalAppOptions,
  from: string,
  order: PublishOrder | BadOrder,
): Promise<PublishAnswer> {
  if ('code' in order) {
    options.count(order.code);
    return Promise.resolve(answerOf(order.id, failed(order.code, order.message)));
  }
  const id = order.id ?? quote(options.messageId());
  const { data, ephemeral, channels, users } = order;
  return new Promise((resolve) => {
    if (users) {
      options.router.publishMany({ from, id, data, ephemeral }, channels, (outcomes) => {
        let reached = 0;
        const results = users.map((to, i) => {
          const { error, ...result } = resultOf(outcomes[i] as Outcome);
          options.count(error?.code ?? 'published');
          reached += result.reached ?? 0;
          return { to, ...result, ...(error ? { error: { code: error.code, message: error.message } } : {}) };
        });
        resolve(answerOf(id, { reached, results }));
      });
      return;
    }
    const done = (outcome: Outcome): void => {
      const result = resultOf(outcome);
      options.count(result.error?.code ?? (result.duplicate ? 'duplicate' : 'published'));
      resolve(answerOf(id, result));
    };
    options.router.publish({ channel: channels[0] as string, from, id, data, ephemeral, done });
  });
}

function answerOf(id: string | undefined, result: Omit<PublishAnswer, 'id'>): PublishAnswer {
  return { id: id === undefined ? '' : (jsonFromWire(id) as string), ...result };
}

function failed(code: ErrorCode, message: string): Omit<PublishAnswer, 'id'> {
  return { error: { code, message, retryable: ERRORS[code].retryable } };
}

function resultOf(outcome: Outcome): Omit<PublishAnswer, 'id'> {
  if (outcome.kind === 'failed') return failed(outcome.code, ERRORS[outcome.code].means);
  const { reached, position, duplicate } = outcome;
  return { reached, ...(position ? { position } : {}), ...(duplicate ? { duplicate } : {}) };
}

function sendProblem(
  logger: Logger,
  reply: FastifyReply,
  error: Error & { statusCode?: number; code?: string },
): FastifyReply {
  const known = error instanceof HttpProblem;
  const status = error.statusCode ?? 500;
  const code: ErrorCode = known
    ? error.code
    : status === 413
      ? 'frame_too_big'
      : status < 500
        ? 'bad_request'
        : 'internal';
  if (status >= 500 && !known) logger.error({ err: error }, 'a request failed');
  const problem: Problem = {
    type: 'about:blank',
    title: ERRORS[code].means,
    status,
    detail: status >= 500 && !known ? ERRORS.internal.means : error.message,
    code,
    ...(known && error.retryAfterMs !== undefined ? { retryAfterMs: error.retryAfterMs } : {}),
  };
  if (problem.retryAfterMs !== undefined) {
    reply.header('retry-after', String(Math.ceil(problem.retryAfterMs / 1000)));
  }
  return reply
    .code(status)
    .header('content-type', HTTP.problemType)
    .header('cache-control', 'no-store')
    .send(JSON.stringify(problem));
}
