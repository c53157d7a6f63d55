import { type DrainAnswer, HTTP } from '@ringway/protocol';
import type { FastifyInstance } from 'fastify';
import { type CallerOptions, callerOf } from '../caller.ts';

export interface DrainRoutesOptions extends CallerOptions {
  readonly drain: { begin(): void; cancel(): void; readonly progress: () => DrainAnswer };
}

/** `POST /drain` begins, `GET` tells how far it is, `DELETE` takes it back. */
export function drainRoutes(app: FastifyInstance, options: DrainRoutesOptions): void {
  const { drain } = options;
  app.post(HTTP.drain, (request, reply) => {
    callerOf(options, request, ['admin']);
    drain.begin();
    return reply.code(202).send(drain.progress());
  });
  app.get(HTTP.drain, (request) => {
    callerOf(options, request, ['admin']);
    return drain.progress();
  });
  app.delete(HTTP.drain, (request) => {
    callerOf(options, request, ['admin']);
    drain.cancel();
    return drain.progress();
  });
}
