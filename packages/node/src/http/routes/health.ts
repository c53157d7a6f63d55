import { HTTP } from '@ringway/protocol';
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';

export interface HealthRoutesOptions {
  readonly nodeId: string;
  /** What this node says of itself to whoever asks. */
  readonly about: Readonly<Record<string, string>>;
  readonly registry: Registry;
  ready(): boolean;
}

/** `/healthz`, `/readyz` and `/metrics`: for whoever asks. */
export function healthRoutes(app: FastifyInstance, options: HealthRoutesOptions): void {
  const { nodeId, about, registry } = options;
  app.get(HTTP.healthz, () => ({ status: 'ok', nodeId, ...about }));
  app.get(HTTP.readyz, (_request, reply) => {
    if (!options.ready()) return reply.code(503).send({ status: 'not ready', nodeId });
    return { status: 'ready', nodeId };
  });
  app.get(HTTP.metrics, async (_request, reply) => {
    reply.header('content-type', registry.contentType);
    return registry.metrics();
  });
}
