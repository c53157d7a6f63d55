import { type Consumer, ListOffsetTimestamps } from '@platformatic/kafka';
import type { Delivery, SourceHooks } from '../port.ts';
import { placeId } from '../source-options.ts';
import { Progress } from './progress.ts';

export class KafkaDelivery implements Delivery {
  readonly id: string;
  readonly origin: string;
  readonly body: Buffer | undefined;
  readonly key: Buffer | null;
  readonly headers: readonly (readonly [Buffer | null, Buffer | null])[];
  readonly offset: bigint;
  readonly partition: number;
  /** It counts in the share that delivered it, and in no later one. */
  readonly share: KafkaShare;

  constructor(
    share: KafkaShare,
    topic: string,
    partition: number,
    offset: bigint,
    record: {
      readonly key: Buffer | null;
      readonly value: Buffer | null;
      readonly headers: readonly (readonly [Buffer | null, Buffer | null])[];
    },
  ) {
    this.share = share;
    this.partition = partition;
    this.offset = offset;
    this.id = placeId(topic, `${partition}:${offset}`);
    this.origin = `${topic}/${partition}@${offset}`;
    this.body = record.value ?? undefined;
    this.key = record.key;
    this.headers = record.headers;
  }
}

export interface ShareInit {
  /** The member of the group: it commits. */
  readonly member: Consumer;
  /** Another client: on one connection the waiting for messages would hold up heartbeats and commits. */
  readonly fetcher: Consumer;
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly maxInFlight: number;
  readonly hooks: SourceHooks;
  deliver(delivery: KafkaDelivery): void;
  /** It cannot go on: the connection is made anew. */
  failed(error: unknown): void;
}

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;

const CONTROL = 0x20;
const FETCH_BYTES = 1024 * 1024;
const FETCH_WAIT_MS = 500;
const COMMIT_EVERY_MS = 100;

/**
 * The partitions that one generation of the group gave to this reader. Each begins at what the group has committed, and
 * is committed up to the first message that is not done with, never beyond. With the next generation it ends: what it
 * had in hand comes again, here or elsewhere, and counts there.
 */
export class KafkaShare {
  readonly #init: ShareInit;
  readonly #progress = new Map<number, Progress>();
  #committing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Who reads from a broker, and waits for room. */
  readonly #waiting: (() => void)[] = [];
  #resting = false;
  dead = false;

  constructor(init: ShareInit) {
    this.#init = init;
  }

  /** Reads until the end of the share. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.#begin();
      await Promise.all((await this.#byLeader()).map(([leader, ids]) => this.#follow(leader, ids)));
    } catch (error) {
      if (!this.dead) this.#init.failed(error);
    }
  }

  /** Fetches no more. */
  rest(): void {
    this.#resting = true;
    this.#wake();
  }

  end(): void {
    this.dead = true;
    clearTimeout(this.#timer);
    this.rest();
  }

  /** Delivered and not done. */
  get open(): number {
    let open = 0;
    for (const progress of this.#progress.values()) open += progress.open;
    return open;
  }

  done({ partition, offset }: KafkaDelivery): void {
    if (this.dead) return;
    this.#progress.get(partition)?.done(offset);
    this.#wake();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.commit();
    }, COMMIT_EVERY_MS);
  }

  /** Commits what is settled. Never rejects: what cannot be committed now is committed with the next. */
  async commit(): Promise<void> {
    await this.#committing;
    if (this.dead) return;
    this.#committing = this.#commit();
    await this.#committing;
  }

  /** Messages that wait or are not done. */
  async lag(): Promise<number> {
    const lags = [...this.#progress].map(async ([partition, { settled }]) => {
      return Number((await this.#offset(partition, ListOffsetTimestamps.LATEST)) - settled);
    });
    return (await Promise.all(lags)).reduce((sum, lag) => sum + lag, 0);
  }

  async #begin(): Promise<void> {
    const { member, topic, partitions } = this.#init;
    if (partitions.length === 0) return;
    const wanted = { topics: [{ topic, partitions: [...partitions] }] };
    const committed = (await member.listCommittedOffsets(wanted)).get(topic);
    await Promise.all(
      partitions.map(async (partition) => {
        const start = await this.#startOf(partition, committed?.[partition] ?? -1n);
        this.#progress.set(partition, new Progress(start));
      }),
    );
  }

  /** What is committed, where that is still there; else the oldest that is. */
  async #startOf(partition: number, committed: bigint): Promise<bigint> {
    const { topic, hooks } = this.#init;
    const least = await this.#offset(partition, ListOffsetTimestamps.EARLIEST);
    const most = await this.#offset(partition, ListOffsetTimestamps.LATEST);
    if (committed >= least && committed <= most) return committed;
    if (committed >= 0n) {
      const there = `${least} to ${most} are there`;
      hooks.failed('trimmed', new Error(`${topic}/${partition}: ${committed} is committed, ${there}`));
    }
    return least;
  }

  /** One partition a request: the mock broker of librdkafka 2.0 garbles answers about several. */
  async #offset(partition: number, timestamp: bigint): Promise<bigint> {
    const { fetcher, topic } = this.#init;
    const partitions = { [topic]: [partition] };
    const offset = (await fetcher.listOffsets({ topics: [topic], partitions, timestamp })).get(topic)?.[
      partition
    ];
    if (offset === undefined) throw new Error(`${topic}/${partition}: its offsets were not told`);
    return offset;
  }

  async #byLeader(): Promise<[number, number[]][]> {
    const { fetcher, topic, partitions } = this.#init;
    const metadata = await fetcher.metadata({ topics: [topic], forceUpdate: true });
    const leaders = new Map<number, number[]>();
    for (const partition of partitions) {
      const leader = metadata.topics.get(topic)?.partitions[partition]?.leader ?? -1;
      const ids = leaders.get(leader);
      if (ids) ids.push(partition);
      else leaders.set(leader, [partition]);
    }
    return [...leaders];
  }

  /** Reads what one broker leads. When it leads it no more, the share fails. */
  async #follow(node: number, partitions: readonly number[]): Promise<void> {
    const { fetcher, topic } = this.#init;
    const topicId = (await fetcher.metadata({ topics: [topic] })).topics.get(topic)?.id ?? '';
    for (;;) {
      await this.#room();
      if (this.#resting) return;
      const wanted = partitions.map((partition) => ({
        partition,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        fetchOffset: this.#progress.get(partition)?.position ?? 0n,
        partitionMaxBytes: FETCH_BYTES,
      }));
      const response = await fetcher.fetch({
        node,
        topics: [{ topicId, partitions: wanted }],
        minBytes: 1,
        maxBytes: FETCH_BYTES,
        maxWaitTime: FETCH_WAIT_MS,
      });
      if (!this.#resting) this.#take(response);
    }
  }

  async #room(): Promise<void> {
    while (this.open >= this.#init.maxInFlight && !this.#resting) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #take({ responses }: FetchResponse): void {
    const { topic, deliver } = this.#init;
    for (const { partitionIndex: partition, records } of responses.flatMap(({ partitions }) => partitions)) {
      const progress = this.#progress.get(partition);
      if (progress === undefined) continue;
      for (const batch of records ?? []) {
        for (const record of batch.attributes & CONTROL ? [] : batch.records) {
          const offset = batch.firstOffset + BigInt(record.offsetDelta);
          // a batch comes whole, though only its end may have been asked for
          if (offset < progress.position) continue;
          progress.delivered(offset);
          progress.position = offset + 1n;
          deliver(new KafkaDelivery(this, topic, partition, offset, record));
        }
        const after = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
        if (after > progress.position) progress.position = after;
      }
    }
  }

  async #commit(): Promise<void> {
    const { member, topic, hooks } = this.#init;
    const news = [...this.#progress].filter(([, { settled, committed }]) => settled > committed);
    if (news.length === 0) return;
    const offsets = news.map(([partition, { settled }]) => ({
      topic,
      partition,
      offset: settled,
      leaderEpoch: -1,
    }));
    try {
      await member.commit({ offsets });
    } catch (error) {
      if (!this.dead) hooks.failed('acknowledge', error);
      return;
    }
    for (const { partition, offset } of offsets) {
      const progress = this.#progress.get(partition);
      if (progress) progress.committed = offset;
    }
  }
}
