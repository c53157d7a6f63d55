import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type ErrorCode, HTTP, isChannel, problemBody } from '@ringway/protocol';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { packageRoot } from '../package-root.ts';
import { sdkFiles } from '../sdk-bundle.ts';
import { type DevCluster, type DevEvent, DevRefusal, type DevState } from './cluster.ts';
import { refusal } from './guard.ts';

/** The files of the page, and their types. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/ring.js': ['ring.js', 'text/javascript; charset=utf-8'],
  '/chat.js': ['chat.js', 'text/javascript; charset=utf-8'],
  '/colours.css': ['colours.css', 'text/css; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};

/** What of the locator's public listener is reached through the page's address too. */
const FORWARDED = [
  HTTP.route,
  HTTP.healthz,
  HTTP.readyz,
  ...Object.keys(sdkFiles).map((name) => `/sdk/${name}`),
];
/** What the locator needs of a request: whose it is, and which page asks. It answers for CORS itself. */
const REQUEST_HEADERS = [
  'authorization',
  'origin',
  'access-control-request-method',
  'access-control-request-headers',
];
/** What is told of an answer, and all that is said for CORS. */
const ANSWER_HEADERS = ['content-type', 'cache-control', 'etag', 'retry-after', 'vary'];

const POLICY =
  "default-src 'self'; connect-src 'self' ws://127.0.0.1:*; frame-ancestors 'none'; base-uri 'none'";

/**
 * The page of `ringway dev` and what it needs: `/dev/state`, `/dev/events` (server-sent), `/dev/place`, `/dev/nodes`.
 * `running` tells the cluster once it runs; `port` the port that this app listens on; `origins` are the other pages that
 * may ask what is forwarded to the locator.
 */
export function createDevApp(
  running: () => DevCluster | undefined,
  port: () => number,
  origins: readonly string[],
): FastifyInstance {
  const app = fastify({ forceCloseConnections: true });
  // no route is reached before it runs: the hook below answers
  const cluster = (): DevCluster => running() as DevCluster;
  app.addHook('onRequest', async (request, reply) => {
    const { host, origin, 'sec-fetch-site': site } = request.headers;
    const others = FORWARDED.includes(request.routeOptions.url ?? '') ? origins : [];
    const why = refusal({ host, origin, site: typeof site === 'string' ? site : undefined }, port(), others);
    if (why !== undefined) return problem(reply, 'forbidden', why);
    if (running() === undefined) return problem(reply, 'not_ready');
    reply.header('content-security-policy', POLICY).header('x-content-type-options', 'nosniff');
  });
  pageRoutes(app);
  forwardRoutes(app, cluster);
  stateRoutes(app, cluster);
  nodeRoutes(app, cluster);
  return app;
}

function pageRoutes(app: FastifyInstance): void {
  for (const [path, [file, type]] of Object.entries(FILES)) {
    app.get(path, async (_request, reply) => {
      const text = await readFile(join(packageRoot(), 'page', file), 'utf8');
      return reply.type(type).header('cache-control', 'no-cache').send(text);
    });
  }
}

function forwardRoutes(app: FastifyInstance, cluster: () => DevCluster): void {
  for (const path of FORWARDED) {
    app.route({
      method: ['GET', 'OPTIONS'],
      url: path,
      handler: async (request, reply) => {
        const answer = await fetch(cluster().locator.publicUrl + request.url, {
          method: request.method,
          headers: forwardedHeaders(request),
          signal: AbortSignal.timeout(10_000),
        });
        for (const [name, value] of answer.headers) {
          if (ANSWER_HEADERS.includes(name) || name.startsWith('access-control-')) reply.header(name, value);
        }
        return reply.code(answer.status).send(Buffer.from(await answer.arrayBuffer()));
      },
    });
  }
}

function forwardedHeaders({ headers }: FastifyRequest): Record<string, string> {
  return Object.fromEntries(
    REQUEST_HEADERS.flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

function stateRoutes(app: FastifyInstance, cluster: () => DevCluster): void {
  app.get('/dev/state', (_request, reply) => reply.header('cache-control', 'no-store').send(cluster().state));

  app.get<{ Querystring: { channel?: string } }>('/dev/place', (request, reply) => {
    const { channel } = request.query;
    if (!isChannel(channel)) return problem(reply, 'invalid_channel');
    const found = cluster().place(channel);
    if (found === undefined) return problem(reply, 'no_nodes');
    return reply.header('cache-control', 'no-store').send(found);
  });

  app.get('/dev/events', (request, reply) => {
    const stream = new PassThrough();
    const send = (name: string, data: DevState | DevEvent): void => {
      stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    };
    const onState = (state: DevState): void => send('state', state);
    const onEvent = (event: DevEvent): void => send('log', event);
    const source = cluster();
    source.on('state', onState).on('event', onEvent);
    request.raw.on('close', () => {
      source.off('state', onState).off('event', onEvent);
      stream.end();
    });
    stream.write('retry: 1000\n\n');
    for (const event of source.history) send('log', event);
    send('state', source.state);
    return reply.type('text/event-stream').header('cache-control', 'no-store').send(stream);
  });
}

function nodeRoutes(app: FastifyInstance, cluster: () => DevCluster): void {
  app.post('/dev/nodes', async (_request, reply) => {
    try {
      return reply.code(201).send({ id: await cluster().addNode() });
    } catch (error) {
      return refuse(reply, error);
    }
  });

  app.delete<{ Params: { id: string } }>('/dev/nodes/:id', async (request, reply) => {
    try {
      await cluster().removeNode(request.params.id);
      return reply.code(204).send();
    } catch (error) {
      return refuse(reply, error);
    }
  });
}

function refuse(reply: FastifyReply, error: unknown): FastifyReply {
  if (error instanceof DevRefusal) return problem(reply, 'bad_request', error.message);
  throw error;
}

function problem(reply: FastifyReply, code: ErrorCode, detail?: string): FastifyReply {
  const body = problemBody(code, detail);
  return reply.code(body.status).type(HTTP.problemType).send(body);
}
