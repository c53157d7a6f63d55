import { Consumer, ProduceAcks, Producer } from '@platformatic/kafka';
import { startKafka, waitFor } from '@ringway/testkit';
import { expect, it } from 'vitest';
import { type KafkaDelivery, KafkaShare } from '../src/kafka/kafka-share.ts';

const COUNT = 30;

it('goes on with the partitions of every broker when there is room again', { timeout: 60_000 }, async () => {
  await using kafka = await startKafka({ brokers: 3 });
  const connection = { clientId: 'test', bootstrapBrokers: [kafka.address], retries: 20, retryDelay: 200 };
  const producer = new Producer(connection);
  const clients = [1, 2].map(() => new Consumer({ ...connection, groupId: 'ringway', autocommit: false }));
  const [member, fetcher] = clients as [Consumer, Consumer];
  const { topics } = await producer.metadata({ topics: ['events'], autocreateTopics: true });
  const partitions = topics.get('events')?.partitions ?? [];
  expect(new Set(partitions.map(({ leader }) => leader)).size).toBeGreaterThan(1);
  const delivered: KafkaDelivery[] = [];
  const failures: unknown[] = [];
  const share = new KafkaShare({
    member,
    fetcher,
    topic: 'events',
    partitions: [...partitions.keys()],
    maxInFlight: 1,
    hooks: { failed: (_, error) => failures.push(error), redelivered: () => {} },
    deliver: (delivery) => delivered.push(delivery),
    failed: (error) => failures.push(error),
  });
  const send = () =>
    producer.send({
      messages: Array.from({ length: COUNT }, (_, i) => ({
        topic: 'events',
        key: Buffer.from(`key-${i}`),
        value: Buffer.from('{}'),
      })),
      acks: ProduceAcks.ALL,
    });
  try {
    for (const client of clients) client.topics.track('events');
    await send();
    const running = share.run();
    // each broker is asked once before there is too much, and again only when there is room
    await waitFor(() => delivered.length === COUNT, { message: 'the first ones', timeout: 20_000 });
    for (const delivery of delivered) share.done(delivery);
    await send();
    await waitFor(() => delivered.length === 2 * COUNT, { message: 'those after them', timeout: 20_000 });
    await share.commit();
    share.end();
    await running;
    expect(failures).toEqual([]);
  } finally {
    share.end();
    await Promise.all([...clients, producer].map((client) => client.close(true)));
  }
});
