import { ProduceAcks, Producer, stringSerializers } from '@platformatic/kafka';

/** What happened to a ticket. */
export interface TicketEvent {
  /** Its own id, which it keeps however often it is written: the agents see it once. */
  readonly id: string;
  readonly ticket: number;
  readonly text: string;
}

/** The shop's side: writes what happens to tickets into a topic of Kafka. It knows nothing of Ringway. */
export class TicketTopic implements AsyncDisposable {
  readonly #topic: string;
  readonly #producer: Producer<string, string, string, string>;

  private constructor(topic: string, brokers: readonly string[]) {
    this.#topic = topic;
    this.#producer = new Producer({
      clientId: 'shop',
      bootstrapBrokers: [...brokers],
      serializers: stringSerializers,
      // a topic that is just being made has no leader yet
      retries: 20,
      retryDelay: 200,
    });
  }

  /** Opens the topic, which the broker makes where it is not there and it is allowed to. */
  static async open(topic: string, brokers: readonly string[]): Promise<TicketTopic> {
    const opened = new TicketTopic(topic, brokers);
    await opened.#producer.metadata({ topics: [topic], autocreateTopics: true });
    return opened;
  }

  /** The key is the ticket: all of its events stand in one partition, in order. */
  write(event: TicketEvent): Promise<void> {
    return this.writeText(`${event.ticket}`, JSON.stringify(event));
  }

  async writeText(key: string, value: string): Promise<void> {
    await this.#producer.send({ messages: [{ topic: this.#topic, key, value }], acks: ProduceAcks.ALL });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.close(true);
  }
}
