import { HTTP } from '@ringway/protocol';
import type { FastifyInstance } from 'fastify';
import type { LocatorMetrics } from '../metrics.ts';

/** `GET /metrics` in Prometheus' text format. */
export function metricsRoutes(app: FastifyInstance, { registry }: LocatorMetrics): void {
  app.get(
    HTTP.metrics,
    {
      schema: {
        tags: ['operators'],
        summary: 'Metrics in the text format of Prometheus',
        produces: ['text/plain'],
      },
    },
    async (_request, reply) =>
      reply
        .header('cache-control', 'no-store')
        .type(registry.contentType)
        .send(await registry.metrics()),
  );
}
