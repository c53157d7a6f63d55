import { type RedisServer, startRedis, startTcpProxy, type TcpProxy, waitFor } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
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

  /** How long each pending entry has been with its reader, milliseconds; by the reader's name. */
  async idle(queue: string): Promise<{ readonly reader: string; readonly ms: number }[]> {
    const rows = (await this.#client.xpending(queue, 'ringway', '-', '+', 100)) as [string, string, number][];
    return rows.map(([, reader, ms]) => ({ reader, ms }));
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

sourceConformance('a Redis stream', startBroker, (bench) => {
  it('claims what a dead reader left, and nothing of one that is busy', async () => {
    const { broker, sink, queue } = bench;
    const env = { RINGWAY_INGEST_REDIS_CLAIM_IDLE: '2s' };
    const first = await bench.start(env);
    sink.cut();
    await broker.send(queue, bench.events(0, 20));
    await bench.stuck(first, 20);
    const second = await bench.start({ ...env, RINGWAY_INGEST_CONSUMER: 'reader-2' });
    // whoever is busy says so: its entries are never left for as long as the others wait
    let longest = 0;
    await waitFor(
      async () => {
        const idle = await broker.idle(queue);
        expect(idle.map(({ reader }) => reader)).toEqual(Array(20).fill('reader-1'));
        const most = Math.max(...idle.map(({ ms }) => ms));
        longest = Math.max(longest, most);
        return most < longest;
      },
      { message: 'the entries to be kept' },
    );
    await first.kill();
    sink.heal();
    await bench.arrived(20);
    await bench.settled();
    expect(await second.metric('ringway_ingest_redelivered_total')).toBe(20);
  });

  it('sends a part of the event to a list of users, to the last digit of its numbers', async () => {
    const { broker, queue, got } = bench;
    const mapping = { to: { users: '{agents}' }, data: '{/ticket}', id: 'ticket-{ticket.number}' };
    await bench.start({}, mapping);
    const body = '{"agents": ["alice", "bob"], "ticket": {"number": 9007199254740993, "price": 1.10}}';
    await broker.send(queue, [
      { key: '', body },
      { key: '', body },
    ]);
    await bench.settled();
    for (const user of ['alice', 'bob']) {
      await waitFor(() => got.get(user)?.length, { message: `a message for ${user}` });
      expect(got.get(user)?.map(({ id }) => id)).toEqual(['ticket-9007199254740993']);
      expect(got.get(user)?.[0]?.text).toContain('"data":{"number":9007199254740993,"price":1.10}');
    }
  });
});
