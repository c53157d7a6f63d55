import { type RedisServer, startRedis, startTcpProxy, type TcpProxy } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { sourceConformance } from './conformance.ts';
import type { Dead, Sent, TestBroker } from './support/broker.ts';

class RedisBroker implements TestBroker {
  readonly cutsClean = true;
  readonly #server: RedisServer;
  readonly #proxy: TcpProxy;
  readonly #client: Redis;

  constructor(server: RedisServer, proxy: TcpProxy) {
    this.#server = server;
    this.#proxy = proxy;
    this.#client = new Redis(server.url, { retryStrategy: () => 20 });
    this.#client.on('error', () => {});
  }

  env(queue: string) {
    return {
      RINGWAY_INGEST_SOURCE: 'redis',
      RINGWAY_INGEST_QUEUE: queue,
      RINGWAY_INGEST_REDIS_URL: `redis://127.0.0.1:${this.#proxy.port}`,
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

  cut(): void {
    this.#proxy.cut();
  }

  heal(): void {
    this.#proxy.heal();
  }

  async restart(): Promise<void> {
    await this.#server.restart();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.disconnect();
    await this.#proxy[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }
}

async function startBroker(): Promise<RedisBroker> {
  const server = await startRedis({ persistent: true });
  return new RedisBroker(server, await startTcpProxy(server));
}

sourceConformance('a Redis stream', startBroker);
