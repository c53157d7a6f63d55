import { Consumer, ProduceAcks, Producer, type SASLMechanismValue } from '@platformatic/kafka';
import { Inbox } from '../inbox.ts';
import type { Delivery, Refusal, Source } from '../port.ts';
import { keepUp, within } from '../retry.ts';
import { RECONNECT, type SourceOptions } from '../source-options.ts';
import { type KafkaDelivery, KafkaShare, type ShareInit } from './kafka-share.ts';

export interface KafkaSourceOptions extends SourceOptions {
  /** `host:port` of some brokers. */
  readonly brokers: readonly string[];
  /** Name of the consumer group. */
  readonly group: string;
  /** How long the group waits for a silent member before it gives its partitions to others, milliseconds. */
  readonly sessionTimeoutMs: number;
  readonly tls?: { readonly ca?: string };
  readonly sasl?: {
    readonly mechanism: SASLMechanismValue;
    readonly username: string;
    readonly password: string;
  };
}

const CLOSE_MS = 700;
const REBALANCE_MS = 10_000;
/** Of its own accord the client repeats what fails only so often; then the connection is made anew. */
const RETRIES = 3;
const RETRY_DELAY_MS = 200;

/**
 * A Kafka topic, read as a member of a consumer group of the classic protocol, which every broker and mock broker speaks.
 *
 * The client's own stream of messages is not used: what it has in hand when the group is balanced anew cannot be told
 * from what comes after. A {@link KafkaShare} for each generation can.
 */
export class KafkaSource implements Source {
  readonly #options: KafkaSourceOptions;
  readonly #inbox = new Inbox<KafkaDelivery>();
  readonly #abort = new AbortController();
  #producer: Producer | undefined;
  #share: KafkaShare | undefined;
  #paused = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: KafkaSourceOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#share !== undefined;
  }

  start(): void {
    const { random, hooks } = this.#options;
    this.#running = keepUp((stood) => this.#hold(stood), {
      bounds: RECONNECT,
      random,
      signal: this.#abort.signal,
      failed: (error) => {
        if (!this.#paused) hooks.failed('connect', error);
      },
    });
  }

  read(max: number): Promise<readonly Delivery[]> {
    return this.#inbox.take(max);
  }

  acknowledge(delivery: Delivery): void {
    const mine = delivery as KafkaDelivery;
    mine.share.done(mine);
  }

  async setAside(delivery: Delivery, { reason, detail }: Refusal): Promise<void> {
    const { body, key, headers, origin } = delivery as KafkaDelivery;
    const { deadLetter } = this.#options;
    // by the bytes of their names: a name may come twice
    const carried = new Map<Buffer, Buffer>();
    for (const [name, value] of headers) if (name) carried.set(name, value ?? Buffer.alloc(0));
    for (const [name, value] of Object.entries({ reason, detail, source: origin })) {
      carried.set(Buffer.from(`ringway-${name}`), Buffer.from(value));
    }
    this.#producer ??= this.#makeProducer();
    await this.#producer.send({
      messages: [
        {
          topic: deadLetter,
          ...(key !== null && { key }),
          ...(body !== undefined && { value: body }),
          headers: carried,
        },
      ],
      acks: ProduceAcks.ALL,
      autocreateTopics: true,
    });
    this.acknowledge(delivery);
  }

  async lag(): Promise<number> {
    if (this.#share === undefined) throw new Error('not in the group');
    return this.#share.lag();
  }

  pause(): void {
    this.#paused = true;
    this.#inbox.close();
    this.#share?.rest();
  }

  async close(): Promise<void> {
    this.#paused = true;
    if (this.#share) await within(CLOSE_MS, this.#share.commit());
    this.#abort.abort();
    await within(CLOSE_MS, this.#running);
    await within(CLOSE_MS, this.#producer?.close(true) ?? Promise.resolve());
  }

  get #connection() {
    const { brokers, consumer, sessionTimeoutMs, tls, sasl } = this.#options;
    return {
      clientId: consumer,
      bootstrapBrokers: [...brokers],
      retries: RETRIES,
      retryDelay: RETRY_DELAY_MS,
      connectTimeout: 5_000,
      // joining waits for the slowest member
      requestTimeout: Math.max(sessionTimeoutMs, REBALANCE_MS) + 5_000,
      ...(tls && { tls: { ...tls } }),
      ...(sasl && { sasl: { ...sasl } }),
    };
  }

  #makeProducer(): Producer {
    return new Producer({ ...this.#connection });
  }

  /** Is a member of the group until something fails. */
  async #hold(stood: () => void): Promise<void> {
    const { group, queue, sessionTimeoutMs } = this.#options;
    const member = new Consumer({ ...this.#connection, groupId: group, autocommit: false });
    const fetcher = new Consumer({ ...this.#connection, groupId: group, autocommit: false });
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => {});
    for (const client of [member, fetcher]) {
      client.topics.track(queue);
      client.on('error', (error) => ended.reject(error));
    }
    member.on('consumer:heartbeat:stalled', ({ lastError }) =>
      ended.reject(new Error('the group does not answer', { cause: lastError })),
    );
    member.on('consumer:group:join', ({ assignments }) => {
      stood();
      const partitions = assignments?.find(({ topic }) => topic === queue)?.partitions ?? [];
      this.#begin({ member, fetcher, partitions, failed: ended.reject });
    });
    this.#abort.signal.addEventListener('abort', () => ended.resolve());
    try {
      // a topic that is not there would be joined with no partitions, and never be looked at again
      await member.metadata({ topics: [queue], forceUpdate: true });
      await member.joinGroup({
        sessionTimeout: sessionTimeoutMs,
        rebalanceTimeout: Math.max(sessionTimeoutMs, REBALANCE_MS),
        heartbeatInterval: Math.max(100, sessionTimeoutMs / 5),
        heartbeatStallTimeout: sessionTimeoutMs,
      });
      await ended.promise;
    } finally {
      this.#end();
      await within(CLOSE_MS, Promise.all([member.close(true), fetcher.close(true)]));
    }
  }

  #begin(init: Pick<ShareInit, 'member' | 'fetcher' | 'partitions' | 'failed'>): void {
    this.#end();
    const { queue, hooks, maxInFlight } = this.#options;
    const share = new KafkaShare({
      ...init,
      topic: queue,
      hooks,
      maxInFlight,
      deliver: (delivery) => this.#inbox.add(delivery),
    });
    this.#share = share;
    void share.run();
  }

  #end(): void {
    const share = this.#share;
    if (share === undefined) return;
    this.#share = undefined;
    share.end();
    this.#inbox.keep((delivery) => delivery.share !== share);
  }
}
