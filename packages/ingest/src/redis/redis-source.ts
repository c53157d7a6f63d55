import { Redis } from 'ioredis';
import { Inbox } from '../inbox.ts';
import type { Delivery, Refusal, Source } from '../port.ts';
import { jitterMs, keepUp, pause, untilDone, within } from '../retry.ts';
import { placeId, RECONNECT, type SourceOptions } from '../source-options.ts';
import { type Entry, entriesOf, groupInfo } from './redis-replies.ts';

export interface RedisSourceOptions extends SourceOptions {
  readonly url: string;
  /** Name of the consumer group. */
  readonly group: string;
  /** Field of an entry that holds the event. */
  readonly field: string;
  /** How long an entry lies with another consumer before that one counts as dead, milliseconds. */
  readonly claimIdleMs: number;
  /** PEM authority for `rediss:`. */
  readonly ca?: string;
}

class RedisDelivery implements Delivery {
  readonly id: string;
  readonly origin: string;
  readonly body: Buffer | undefined;
  readonly entry: Entry;

  constructor(queue: string, entry: Entry, field: string) {
    this.entry = entry;
    this.id = placeId(queue, entry.id);
    this.origin = `${queue}@${entry.id}`;
    this.body = entry.fields.find(([name]) => name.toString() === field)?.[1];
  }
}

const BLOCK_MS = 1_000;
/** An answer that has not come by then never will: the connection is made anew. */
const COMMAND_TIMEOUT_MS = 5_000;
const PAGE = 100;
const CLOSE_MS = 500;

/**
 * A Redis stream, read by a consumer group. One connection blocks for entries, another says what is done.
 *
 * An entry belongs to the consumer that read it until it is acknowledged. So everything that went wrong is made good by
 * reading once more what belongs to this consumer, in the stream's order, before anything new; and what belongs to
 * others for too long is claimed.
 */
export class RedisSource implements Source {
  readonly #options: RedisSourceOptions;
  readonly #reader: Redis;
  readonly #commands: Redis;
  readonly #inbox = new Inbox<RedisDelivery>();
  /** Entries in hand: delivered, and until Redis knows that they are done with. */
  readonly #held = new Set<string>();
  readonly #abort = new AbortController();
  #done: string[] = [];
  #flushing: Promise<void> | undefined;
  #paused = false;
  #room: (() => void) | undefined;
  #keeper: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(options: RedisSourceOptions) {
    this.#options = options;
    this.#reader = this.#client('reader');
    this.#commands = this.#client('commands');
  }

  get connected(): boolean {
    return this.#reader.status === 'ready' && this.#commands.status === 'ready';
  }

  start(): void {
    for (const client of [this.#reader, this.#commands]) {
      // what fails is told by the error event, and ioredis tries again
      client.connect().catch(() => {});
    }
    this.#reading = this.#run();
    this.#keeper = setInterval(() => void this.#keep().catch(() => {}), this.#options.claimIdleMs / 3);
  }

  read(max: number): Promise<readonly Delivery[]> {
    return this.#inbox.take(max);
  }

  acknowledge(delivery: Delivery): void {
    this.#done.push((delivery as RedisDelivery).entry.id);
    this.#flushing ??= this.#flush();
  }

  async setAside(delivery: Delivery, { reason, detail }: Refusal): Promise<void> {
    const { entry } = delivery as RedisDelivery;
    const { deadLetter, queue } = this.#options;
    const about = [
      'ringway:reason',
      reason,
      'ringway:detail',
      detail,
      'ringway:source',
      queue,
      'ringway:id',
      entry.id,
    ];
    await this.#commands.xadd(deadLetter, '*', ...about, ...entry.fields.flat());
    this.acknowledge(delivery);
  }

  async lag(): Promise<number> {
    const { queue, group } = this.#options;
    const { lag, pending } = groupInfo(await this.#commands.xinfo('GROUPS', queue), group);
    return lag + pending;
  }

  pause(): void {
    this.#paused = true;
    this.#inbox.close();
    this.#room?.();
  }

  async close(): Promise<void> {
    this.#paused = true;
    clearInterval(this.#keeper);
    if (this.connected) await within(CLOSE_MS, this.#giveBack());
    this.#abort.abort();
    this.#reader.disconnect();
    this.#commands.disconnect();
    await this.#reading;
  }

  #client(role: string): Redis {
    const { url, random, hooks, ca } = this.#options;
    const client = new Redis(url, {
      lazyConnect: true,
      // what cannot be said now is said by whoever asked, when they know what has happened meanwhile
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      // what was under way when a connection ended fails at once, and not when its time is up
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: COMMAND_TIMEOUT_MS,
      keepAlive: 10_000,
      retryStrategy: (times) => 20 + jitterMs(times, RECONNECT, random),
      ...(ca !== undefined && { tls: { ca } }),
    });
    client.on('error', (error: unknown) => hooks.failed(`connect_${role}`, error));
    return client;
  }

  async #run(): Promise<void> {
    const { random, hooks } = this.#options;
    await keepUp((stood) => this.#session(stood), {
      bounds: RECONNECT,
      random,
      signal: this.#abort.signal,
      failed: (error) => {
        if (this.#paused) return;
        // an answer that did not come in time may come to the next question
        if (this.#reader.status === 'ready') this.#reader.disconnect(true);
        hooks.failed('read', error);
      },
    });
  }

  /** Reads until something fails, or until the pause. */
  async #session(stood: () => void): Promise<void> {
    const { queue, group, consumer, claimIdleMs } = this.#options;
    while (this.#reader.status !== 'ready') {
      if (this.#paused) return;
      await pause(20, this.#abort.signal);
    }
    await this.#ensureGroup();
    await this.#readOwn();
    let claimAt = 0;
    while (!this.#paused) {
      if (performance.now() >= claimAt) {
        await this.#claim();
        claimAt = performance.now() + claimIdleMs / 2;
      }
      const room = await this.#roomFor();
      if (this.#paused) return;
      const reply = await this.#reader.xreadgroupBuffer(
        ...([
          'GROUP',
          group,
          consumer,
          'COUNT',
          Math.min(room, PAGE),
          'BLOCK',
          BLOCK_MS,
          'STREAMS',
          queue,
          '>',
        ] as const),
      );
      stood();
      for (const entry of entriesOf(reply)) this.#deliver(entry);
    }
  }

  async #ensureGroup(): Promise<void> {
    const { queue, group } = this.#options;
    try {
      await this.#reader.xgroup('CREATE', queue, group, '0', 'MKSTREAM');
    } catch (error) {
      if (!String(error).includes('BUSYGROUP')) throw error;
    }
  }

  /** What this consumer read once and did not settle, but for what is in hand. */
  async #readOwn(): Promise<void> {
    const { queue, group, consumer } = this.#options;
    for (let after = '0'; !this.#paused; ) {
      const reply = await this.#reader.xreadgroupBuffer(
        ...(['GROUP', group, consumer, 'COUNT', PAGE, 'STREAMS', queue, after] as const),
      );
      const entries = entriesOf(reply);
      await this.#again(entries);
      const last = entries.at(-1);
      if (last === undefined) return;
      after = last.id;
    }
  }

  /** What others read and have not settled for so long that they must be dead. */
  async #claim(): Promise<void> {
    const { queue, group, consumer, claimIdleMs } = this.#options;
    for (let cursor = '0-0'; !this.#paused; ) {
      const reply = (await this.#reader.callBuffer(
        'XAUTOCLAIM',
        ...[queue, group, consumer, claimIdleMs, cursor, 'COUNT', PAGE],
      )) as [Buffer, unknown];
      await this.#again(entriesOf([[Buffer.from(queue), reply[1]]]));
      cursor = reply[0].toString();
      if (cursor === '0-0') return;
    }
  }

  async #again(entries: readonly Entry[]): Promise<void> {
    const fresh = entries.filter(({ id }) => !this.#held.has(id));
    for (const entry of fresh) {
      // trimmed from the stream while it was pending: there is nothing left to publish
      if (entry.gone) this.#drop(entry.id);
      else {
        await this.#roomFor();
        if (this.#paused) return;
        this.#deliver(entry);
      }
    }
    if (fresh.length > 0) this.#options.hooks.redelivered(fresh.length);
  }

  #deliver(entry: Entry): void {
    if (this.#paused) return;
    this.#held.add(entry.id);
    this.#inbox.add(new RedisDelivery(this.#options.queue, entry, this.#options.field));
  }

  #drop(id: string): void {
    this.#options.hooks.failed('trimmed', new Error(`entry ${id} was trimmed before it was published`));
    this.#held.add(id);
    this.acknowledge(new RedisDelivery(this.#options.queue, { id, fields: [], gone: true }, ''));
  }

  /** How many more may be in hand; waits until it is one. */
  async #roomFor(): Promise<number> {
    for (;;) {
      const room = this.#options.maxInFlight - this.#held.size;
      if (room > 0 || this.#paused) return room;
      await new Promise<void>((resolve) => {
        this.#room = resolve;
      });
    }
  }

  async #flush(): Promise<void> {
    const { queue, group, random, hooks } = this.#options;
    // what comes in one turn of the loop is said together
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#done.length > 0 && !this.#abort.signal.aborted) {
      const ids = this.#done.splice(0, 500);
      const said = await untilDone(() => this.#commands.xack(queue, group, ...ids), {
        bounds: RECONNECT,
        random,
        signal: this.#abort.signal,
        failed: (error) => hooks.failed('acknowledge', error),
      });
      if (!said) break;
      for (const id of ids) this.#held.delete(id);
      this.#room?.();
    }
    this.#flushing = undefined;
  }

  /** Tells Redis that what is in hand is worked on, so that nobody claims it. */
  async #keep(): Promise<void> {
    if (this.connected) await this.#claimHeld([]);
  }

  /** What is not settled shall be claimed by whoever looks next. */
  async #giveBack(): Promise<void> {
    await this.#flushing;
    await this.#claimHeld(['IDLE', `${this.#options.claimIdleMs}`]);
  }

  async #claimHeld(options: readonly string[]): Promise<void> {
    const { queue, group, consumer } = this.#options;
    const ids = [...this.#held];
    for (let i = 0; i < ids.length; i += 500) {
      const page = ids.slice(i, i + 500);
      await this.#commands.call('XCLAIM', queue, group, consumer, '0', ...page, ...options, 'JUSTID');
    }
  }
}
