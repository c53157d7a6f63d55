import { randomUUID } from 'node:crypto';
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type Options,
} from 'amqplib';
import { Inbox } from '../inbox.ts';
import type { Delivery, Refusal, Source } from '../port.ts';
import { keepUp, within } from '../retry.ts';
import { RECONNECT, type SourceOptions } from '../source-options.ts';

export interface RabbitmqSourceOptions extends SourceOptions {
  readonly url: string;
  /** PEM authority for `amqps:`. */
  readonly ca?: string;
}

class RabbitmqDelivery implements Delivery {
  readonly id: string | undefined;
  readonly origin: string;
  readonly body: Buffer;
  readonly message: ConsumeMessage;
  /** A message is settled on the channel that delivered it, or not at all. */
  readonly session: Session;

  constructor(queue: string, message: ConsumeMessage, session: Session) {
    const { messageId } = message.properties;
    this.id = typeof messageId === 'string' && messageId !== '' ? messageId : undefined;
    this.origin = `${queue}@${this.id ?? `#${message.fields.deliveryTag}`}`;
    this.body = message.content;
    this.message = message;
    this.session = session;
  }
}

/** One connection with its channels; a new one is made after any failure. */
interface Session {
  readonly connection: ChannelModel;
  readonly consuming: Channel;
  readonly setting: ConfirmChannel;
  readonly tag: string;
  /** Messages delivered on it and not settled. */
  open: number;
  dead: boolean;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A broker that is silent for twice as long is gone, whatever the network says. */
const HEARTBEAT_S = 5;
const CLOSE_MS = 500;
const MARK = 'x-ringway-mark';

/**
 * A RabbitMQ queue. The broker delivers up to `maxInFlight` messages ahead of their acknowledgement, and what a channel
 * leaves unacknowledged at its end goes back to its place in the queue: so a lost connection needs no repair here.
 */
export class RabbitmqSource implements Source {
  readonly #options: RabbitmqSourceOptions;
  readonly #inbox = new Inbox<RabbitmqDelivery>();
  readonly #abort = new AbortController();
  /** What was published to be set aside, by its mark: called when the broker had no place for it. */
  readonly #unroutable = new Map<string, () => void>();
  #session: Session | undefined;
  #paused = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: RabbitmqSourceOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#session !== undefined;
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
    const { session, message } = delivery as RabbitmqDelivery;
    if (session.dead) return;
    session.open--;
    // a channel that has just ended throws; the message comes again
    attempt(() => session.consuming.ack(message));
  }

  async setAside(delivery: Delivery, { reason, detail }: Refusal): Promise<void> {
    const { message, origin } = delivery as RabbitmqDelivery;
    const session = this.#session;
    if (session === undefined) throw new Error('not connected');
    const mark = randomUUID();
    const about = {
      ...message.properties.headers,
      // they would send copies to other queues
      CC: undefined,
      BCC: undefined,
      [MARK]: mark,
      'x-ringway-reason': reason,
      'x-ringway-detail': detail,
      'x-ringway-source': origin,
    };
    try {
      await new Promise<void>((resolve, reject) => {
        this.#unroutable.set(mark, () => reject(new Error(`there is no queue ${this.#options.deadLetter}`)));
        session.setting.sendToQueue(
          this.#options.deadLetter,
          message.content,
          { ...carried(message), persistent: true, mandatory: true, headers: about },
          (error: unknown) => (error ? reject(error) : resolve()),
        );
      });
    } finally {
      this.#unroutable.delete(mark);
    }
    this.acknowledge(delivery);
  }

  async lag(): Promise<number> {
    const session = this.#session;
    if (session === undefined) throw new Error('not connected');
    const { messageCount } = await session.consuming.checkQueue(this.#options.queue);
    return messageCount + session.open;
  }

  pause(): void {
    this.#paused = true;
    this.#inbox.close();
    const session = this.#session;
    if (session) session.consuming.cancel(session.tag).catch(() => {});
    else this.#abort.abort();
  }

  async close(): Promise<void> {
    this.#paused = true;
    this.#abort.abort();
    const session = this.#session;
    // closing says what has been acknowledged before it, and puts back the rest
    if (session) await within(CLOSE_MS, session.connection.close());
    await within(CLOSE_MS, this.#running);
  }

  /** Connects, and resolves with a rejection when that connection has ended. */
  async #hold(stood: () => void): Promise<void> {
    const { url, ca, queue, deadLetter, maxInFlight } = this.#options;
    const connection = await connect(withHeartbeat(url), {
      timeout: CONNECT_TIMEOUT_MS,
      ...(ca !== undefined && { ca: [ca] }),
    });
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => {});
    const fail = (what: string) => (error?: unknown) =>
      ended.reject(new Error(`${what} ended`, error === undefined ? {} : { cause: error }));
    for (const event of ['error', 'close']) connection.on(event, fail('the connection'));
    let session: Session | undefined;
    try {
      await ensureQueue(connection, deadLetter);
      const setting = await connection.createConfirmChannel();
      const consuming = await connection.createChannel();
      for (const channel of [setting, consuming]) {
        for (const event of ['error', 'close']) channel.on(event, fail('a channel'));
      }
      setting.on('return', ({ properties }) => this.#unroutable.get(String(properties.headers?.[MARK]))?.());
      await consuming.checkQueue(queue);
      await consuming.prefetch(maxInFlight);
      const tag = `ringway-${randomUUID()}`;
      const made: Session = { connection, consuming, setting, tag, open: 0, dead: false };
      session = made;
      await consuming.consume(
        queue,
        (message) => {
          if (message === null) fail('the consumer')();
          else this.#deliver(message, made);
        },
        { consumerTag: tag },
      );
      stood();
      this.#session = session;
      if (this.#paused) return;
      await ended.promise;
    } finally {
      this.#session = undefined;
      if (session) {
        const dead = session;
        dead.dead = true;
        // they will be delivered again; those that are worked on already are known by their id
        this.#inbox.keep((delivery) => delivery.session !== dead);
      }
      await within(CLOSE_MS, connection.close());
    }
  }

  #deliver(message: ConsumeMessage, session: Session): void {
    if (message.fields.redelivered) this.#options.hooks.redelivered(1);
    session.open++;
    this.#inbox.add(new RabbitmqDelivery(this.#options.queue, message, session));
  }
}

/** Declares the queue, durable, unless there is one, whatever that one's properties are. */
async function ensureQueue(connection: ChannelModel, queue: string): Promise<void> {
  const probe = await connection.createChannel();
  // a queue that is not there ends the channel
  probe.on('error', () => {});
  const there = await probe.checkQueue(queue).then(
    () => true,
    () => false,
  );
  if (there) return probe.close();
  const declaring = await connection.createChannel();
  declaring.on('error', () => {});
  await declaring.assertQueue(queue, { durable: true });
  await declaring.close();
}

/** What a message takes along: not its time to live, and not the name of its publisher, which only that one may use. */
function carried({ properties }: ConsumeMessage): Options.Publish {
  const names = [
    'contentType',
    'contentEncoding',
    'correlationId',
    'messageId',
    'timestamp',
    'type',
    'appId',
  ] as const;
  return Object.fromEntries(
    names.filter((name) => properties[name] !== undefined).map((name) => [name, properties[name] as unknown]),
  );
}

function withHeartbeat(text: string): string {
  const url = new URL(text);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', `${HEARTBEAT_S}`);
  return url.href;
}

function attempt(act: () => void): void {
  try {
    act();
  } catch {}
}
