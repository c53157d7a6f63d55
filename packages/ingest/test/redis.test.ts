import { startRedis } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { sourceConformance } from './conformance.ts';
import type { Dead, Sent, TestBroker } from './support/broker.ts';

class RedisBroker implements TestBroker {
  readonly #server: Awaited<ReturnType<typeof startRedis>>;
  readonly #client: Redis;

  constructor(server: Awaited<ReturnType<typeof startRedis>>) {
    this.#server = server;
    this.#client = new Redis(server.url, { retryStrategy: () => 20 });
    this.#client.on('error', () => {});
  }

  env(queue: string) {
    return {
      RINGWAY_INGEST_SOURCE: 'redis',
      RINGWAY_INGEST_QUEUE: queue,
      RINGWAY_INGEST_REDIS_URL: this.#server.url,
    };
  }

  async create(queue: string): Promise<void> {
    await this.#client.xgroup('CREATE', queue, 'ringway', '0', 'MKSTREAM');
  }

  async send(queue: string, events: readonly Sent[]): Promise<void> {
    for (const { body } of events) await this.#client.xadd(queue, '*', 'event', body);
  }

  async dead(queue: string): Promise<Dead[]> {
    const entries = await this.#client.xrange(`${queue}.dead`, '-', '+');
    return entries.map(([, fields]) => {
      const field = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
      return { reason: field('ringway:reason'), body: field('event') };
    });
  }

  async waiting(queue: string): Promise<number> {
    const [group] = (await this.#client.xinfo('GROUPS', queue)) as (string | number)[][];
    const value = (name: string): number => Number(group?.[group.indexOf(name) + 1]);
    return value('lag') + value('pending');
  }

  freeze(): void {
    this.#server.freeze();
  }

  thaw(): void {
    this.#server.thaw();
  }

  async restart(): Promise<void> {
    await this.#server.restart();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.disconnect();
    await this.#server[Symbol.asyncDispose]();
  }
}

sourceConformance('a Redis stream', async () => new RedisBroker(await startRedis({ persistent: true })));
