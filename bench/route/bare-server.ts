// What the locator is measured beside: Fastify alone, the same schema, an answer of the same size.
import { fastify } from 'fastify';
import { type ServerJob, tellUrl } from './jobs.ts';

process.once('message', (job: ServerJob) => {
  const answer = JSON.parse(job.answer) as object;
  const app = fastify();
  app.get('/route', { schema: job.schema }, (_request, reply) =>
    reply.header('cache-control', 'no-store').send(answer),
  );
  app.listen({ host: '127.0.0.1', port: 0 }).then(tellUrl, (error: unknown) => {
    throw error;
  });
});
