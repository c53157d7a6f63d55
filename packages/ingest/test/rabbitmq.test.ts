import { once } from 'node:events';
import { type RabbitmqServer, startRabbitmq, startTcpProxy, type TcpProxy, waitFor } from '@ringway/testkit';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { expect, it } from 'vitest';
import { sourceConformance } from './conformance.ts';
import type { Dead, Sent, TestBroker } from './support/broker.ts';

class RabbitmqBroker implements TestBroker {
  readonly cutsClean = true;
  readonly #server: RabbitmqServer;
  readonly #proxy: TcpProxy;
  #connection: ChannelModel | undefined;
  #channel: ConfirmChannel | undefined;
  #sent = 0;

  constructor(server: RabbitmqServer, proxy: TcpProxy) {
    this.#server = server;
    this.#proxy = proxy;
  }

  env(queue: string) {
    return {
      RINGWAY_INGEST_SOURCE: 'rabbitmq',
      RINGWAY_INGEST_QUEUE: queue,
      RINGWAY_INGEST_RABBITMQ_URL: `amqp://guest:guest@127.0.0.1:${this.#proxy.port}`,
    };
  }

  async create(queue: string): Promise<void> {
    const channel = await this.#open();
    await channel.assertQueue(queue, { durable: true });
  }

  async send(queue: string, events: readonly Sent[]): Promise<void> {
    const channel = await this.#open();
    for (const { body } of events) {
      const messageId = `order-${++this.#sent}`;
      channel.sendToQueue(queue, Buffer.from(body), { persistent: true, messageId });
    }
    await channel.waitForConfirms();
  }

  async sendWithoutId(queue: string, body: string): Promise<void> {
    const channel = await this.#open();
    channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
    await channel.waitForConfirms();
  }

  async dead(queue: string): Promise<Dead[]> {
    const channel = await this.#open();
    const dead: Dead[] = [];
    for (;;) {
      const message = await channel.get(`${queue}.dead`);
      if (message === false) break;
      const reason = String(message.properties.headers?.['x-ringway-reason']);
      dead.push({ reason, body: message.content.toString() });
    }
    // unacknowledged: the next look sees them again
    await this.#close();
    return dead;
  }

  async waiting(queue: string): Promise<number> {
    // what is delivered and not acknowledged is not counted, so a reader's end is what shows it
    const channel = await this.#open();
    return (await channel.checkQueue(queue)).messageCount;
  }

  cut(): void {
    this.#proxy.cut();
  }

  heal(): void {
    this.#proxy.heal();
  }

  async restart(): Promise<void> {
    await this.#close();
    await this.#server.restart();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#proxy[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }

  async #open(): Promise<ConfirmChannel> {
    if (this.#channel !== undefined) return this.#channel;
    const connection = await waitFor(() => connect(this.#server.url), { message: 'a connection' });
    this.#connection = connection;
    connection.on('error', () => {});
    this.#channel = await connection.createConfirmChannel();
    return this.#channel;
  }

  async #close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#channel = undefined;
    if (connection === undefined) return;
    const closed = once(connection, 'close');
    await connection.close().catch(() => {});
    await closed;
  }
}

async function startBroker(): Promise<RabbitmqBroker> {
  const server = await startRabbitmq();
  return new RabbitmqBroker(server, await startTcpProxy(server));
}

sourceConformance('a RabbitMQ queue', startBroker, (bench) => {
  it('needs an id: of the message, or of the event by the mapping', async () => {
    const { broker, queue, got } = bench;
    const first = await bench.start();
    await broker.sendWithoutId(queue, '{"to": "alice", "n": 0}');
    await waitFor(() => first.metric('ringway_ingest_set_aside_total', { reason: 'no_id' }), {
      message: 'no_id',
    });
    expect(await broker.dead(queue)).toEqual([{ reason: 'no_id', body: '{"to": "alice", "n": 0}' }]);
    await first.stop();
    await bench.start({}, { to: 'user:{to}', id: 'event-{n}' });
    for (const n of [1, 1, 2]) await broker.sendWithoutId(queue, `{"to": "alice", "n": ${n}}`);
    await waitFor(() => got.get('alice')?.length === 2, { message: 'two messages' });
    await bench.settled();
    expect(got.get('alice')?.map(({ id }) => id)).toEqual(['event-1', 'event-2']);
  });
});
