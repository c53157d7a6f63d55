import { Consumer, ListOffsetTimestamps, ProduceAcks, Producer } from '@platformatic/kafka';
import {
  freePort,
  hasKafka,
  type KafkaBroker,
  startKafka,
  startTcpProxy,
  type TcpProxy,
  waitFor,
} from '@ringway/testkit';
import { it } from 'vitest';
import { sourceConformance } from './conformance.ts';
import type { Dead, Sent, TestBroker } from './support/broker.ts';

class KafkaTestBroker implements TestBroker {
  readonly cutsClean: boolean;
  readonly #server: KafkaBroker;
  readonly #proxy: TcpProxy | undefined;
  readonly #producer: Producer;
  readonly #asking: Consumer;

  constructor(server: KafkaBroker, proxy: TcpProxy | undefined) {
    this.#server = server;
    this.#proxy = proxy;
    this.cutsClean = proxy !== undefined;
    const connection = { clientId: 'test', bootstrapBrokers: [server.address], retries: 20, retryDelay: 200 };
    // else what it repeats while the broker comes back could stand in the topic twice
    this.#producer = new Producer({ ...connection, idempotent: server.durable });
    this.#asking = new Consumer({ ...connection, groupId: 'ringway' });
  }

  env(queue: string) {
    return {
      RINGWAY_INGEST_SOURCE: 'kafka',
      RINGWAY_INGEST_QUEUE: queue,
      RINGWAY_INGEST_KAFKA_BROKERS: this.#server.address,
      // the mock broker lets members wait for 3 s at each rebalance, and not a heartbeat counts meanwhile
      RINGWAY_INGEST_KAFKA_SESSION_TIMEOUT: this.#server.durable ? '1s' : '5s',
    };
  }

  async create(queue: string): Promise<void> {
    // of the two brokers, the mock one makes a topic only when it is asked about it
    await this.#producer.metadata({ topics: [queue], autocreateTopics: true });
    await this.#ends(queue);
  }

  async send(queue: string, events: readonly Sent[]): Promise<void> {
    await this.#producer.send({
      messages: events.map(({ key, body }) => ({
        topic: queue,
        key: Buffer.from(key),
        value: Buffer.from(body),
      })),
      acks: ProduceAcks.ALL,
    });
  }

  async dead(queue: string): Promise<Dead[]> {
    const topic = `${queue}.dead`;
    const ends = await this.#ends(topic);
    this.#asking.topics.track(topic);
    const all = await Promise.all(ends.map((end, partition) => this.#records(topic, partition, end)));
    return all.flat();
  }

  async waiting(queue: string): Promise<number> {
    const ends = await this.#ends(queue);
    const partitions = ends.map((_, partition) => partition);
    const committed = (
      await this.#asking.listCommittedOffsets({ topics: [{ topic: queue, partitions }] })
    ).get(queue);
    return ends.reduce(
      (sum, end, i) => sum + Number(end - (committed?.[i] ?? 0n) - ((committed?.[i] ?? 0n) < 0n ? 1n : 0n)),
      0,
    );
  }

  cut(): void {
    if (this.#proxy) this.#proxy.cut();
    else this.#server.freeze();
  }

  heal(): void {
    if (this.#proxy) this.#proxy.heal();
    else this.#server.thaw();
  }

  async restart(): Promise<void> {
    if (this.#server.durable) await this.#server.restart();
    // the mock broker would forget everything: it is only silent for a while
    else {
      this.#server.freeze();
      setTimeout(() => this.#server.thaw(), 2_000);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.close(true);
    await this.#asking.close(true);
    await this.#proxy?.[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }

  async #records(topic: string, partition: number, end: bigint): Promise<Dead[]> {
    const { topics } = await this.#asking.metadata({ topics: [topic] });
    const { id: topicId = '', partitions } = topics.get(topic) ?? {};
    const node = partitions?.[partition]?.leader ?? -1;
    const dead: Dead[] = [];
    for (let fetchOffset = 0n; fetchOffset < end; ) {
      const wanted = {
        partition,
        fetchOffset,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        partitionMaxBytes: 2 ** 20,
      };
      const { responses } = await this.#asking.fetch({
        node,
        topics: [{ topicId, partitions: [wanted] }],
        maxWaitTime: 100,
      });
      const found = responses
        .flatMap((one) => one.partitions)
        .filter((one) => one.partitionIndex === partition);
      for (const { firstOffset, records } of found.flatMap((one) => one.records ?? [])) {
        for (const { offsetDelta, headers, value } of records) {
          const offset = firstOffset + BigInt(offsetDelta);
          if (offset < fetchOffset) continue;
          const reason = headers.find(([name]) => String(name) === 'ringway-reason')?.[1];
          dead.push({ reason: String(reason), body: String(value) });
          fetchOffset = offset + 1n;
        }
      }
    }
    return dead;
  }

  /** Of each partition, where it ends. */
  async #ends(topic: string): Promise<bigint[]> {
    return waitFor(
      async () => {
        const metadata = await this.#asking.metadata({ topics: [topic], forceUpdate: true });
        const all = metadata.topics.get(topic)?.partitions ?? [];
        // one a request: the mock broker garbles answers about several
        return Promise.all(
          all.map(async (_, i) => {
            const asked = {
              topics: [topic],
              partitions: { [topic]: [i] },
              timestamp: ListOffsetTimestamps.LATEST,
            };
            return (await this.#asking.listOffsets(asked)).get(topic)?.[i] ?? -1n;
          }),
        );
      },
      { message: `offsets of ${topic}`, timeout: 30_000 },
    );
  }
}

/** Kafka tells its clients where to connect: to the proxy. The mock of it can only tell of itself. */
async function startBroker(): Promise<KafkaTestBroker> {
  if (!hasKafka()) return new KafkaTestBroker(await startKafka(), undefined);
  const port = await freePort();
  const proxy = await startTcpProxy({ port });
  return new KafkaTestBroker(await startKafka({ port, advertisedPort: proxy.port }), proxy);
}

sourceConformance('a Kafka topic', startBroker, (bench) => {
  it('loses nothing and keeps the order when readers come and go', async () => {
    const { broker, sink, queue } = bench;
    const first = await bench.start();
    sink.cut();
    await broker.send(queue, bench.events(0, 20));
    await bench.stuck(first, 20);
    // it gets partitions of which the first has everything in hand
    await bench.start({ RINGWAY_INGEST_CONSUMER: 'reader-2' });
    sink.heal();
    await bench.arrived(20);
    await bench.settled();
    await broker.send(queue, bench.events(20, 40));
    await bench.arrived(40);
    await first.kill();
    await broker.send(queue, bench.events(40, 60));
    await bench.arrived(60);
    await bench.settled();
  });
});
