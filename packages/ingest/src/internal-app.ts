import type { AddressInfo } from 'node:net';
import { HTTP } from '@ringway/protocol';
import { type Address, formatAddress, type TlsMaterial } from '@ringway/service';
import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';

export interface InternalAppOptions {
  readonly tls: TlsMaterial | undefined;
  readonly registry: Registry;
  ready(): boolean;
}

/** A listener that is open. */
export interface Listener {
  /** Its base URL, as bound. */
  readonly url: string;
  close(): Promise<void>;
}

const TIMEOUT_MS = 5_000;

/** Opens the listener for health checks and Prometheus. */
export async function listenInternally(address: Address, options: InternalAppOptions): Promise<Listener> {
  const app = internalApp(options);
  // Fastify writes into what it is given
  await app.listen({ ...address });
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `${options.tls ? 'https' : 'http'}://${formatAddress({ host: address.host, port })}`,
    close: async () => {
      await app.close();
    },
  };
}

function internalApp({ tls, registry, ready }: InternalAppOptions): FastifyInstance {
  const limits = { headersTimeout: TIMEOUT_MS, maxHeaderSize: 8 * 1024, connectionsCheckingInterval: 1_000 };
  const settings = {
    // with https the settings of http are not looked at
    ...(tls ? { https: { ...limits, ...tls, handshakeTimeout: TIMEOUT_MS } } : { http: limits }),
    logger: false,
    forceCloseConnections: true,
    requestTimeout: TIMEOUT_MS,
  };
  const app = fastify(settings as { logger: false });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header('cache-control', 'no-store');
    done();
  });
  app.get(HTTP.healthz, () => ({ status: 'ok' }));
  app.get(HTTP.readyz, (_request, reply) => {
    if (!ready()) return reply.code(503).send({ status: 'not ready' });
    return { status: 'ready' };
  });
  app.get(HTTP.metrics, async (_request, reply) => {
    reply.type(registry.contentType);
    return registry.metrics();
  });
  return app;
}
