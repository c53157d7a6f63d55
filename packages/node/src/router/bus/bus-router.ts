import type { Position } from '@ringway/protocol';
import { every } from '@ringway/service';
import { type Appended, LogRefusedError, type SharedLog } from '../../log/port.ts';
import { quote } from '../../text.ts';
import type {
  History,
  LocalChannels,
  Message,
  Outcome,
  Publication,
  Router,
  SubscribeAnswer,
} from '../port.ts';
import type { Bus, BusUser, Item, Parcel } from './port.ts';
import { type Stream, Streams } from './streams.ts';

export interface BusRouterOptions {
  readonly bus: Bus;
  /** Undefined where nodes share none: messages are sent on, at most once, and not kept. */
  readonly log: SharedLog | undefined;
  /** Names this start of the node; never the same twice. */
  readonly incarnation: string;
  /** How long a subscription, or a kick, waits for a bus that is away, in milliseconds. */
  readonly patienceMs: number;
  /** Most bytes of publications under way. */
  readonly maxWaitingBytes: number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

const UNAVAILABLE: Outcome = Object.freeze({ kind: 'failed', code: 'unavailable' });
const UNKNOWN: Outcome = Object.freeze({ kind: 'failed', code: 'unknown' });
const CONFLICT: Outcome = Object.freeze({ kind: 'failed', code: 'id_conflict' });

const RETRY_MS = 100;
const CHECK_MS = 1_000;
/** Silent channels that are compared with the log in one round. */
const CHECKED_A_ROUND = 200;
/** Items of one parcel at most: what Redis does in one step must stay short. */
const ITEMS_A_PARCEL = 500;
/** What a publication takes beside its data, as an estimate. */
const OVERHEAD_BYTES = 200;
/** So full the way out may be before publishers are read no further, as a part of what it may hold. */
const HIGH_WATER = 1 / 16;

/**
 * The router over a bus, which no node orders and no node is home of: a message is stored, where there is a shared log, and
 * then sent to the nodes by the bus. The log's order is put back into what arrives by {@link Streams}.
 */
export class BusRouter implements Router, BusUser {
  private readonly options: BusRouterOptions;
  private streams: Streams | undefined;
  private local!: LocalChannels;
  private timers: (() => void)[] = [];
  private waitingBytes = 0;
  private relieving = false;
  private stopped = false;
  /** Parcels that came for this node. */
  received = 0;
  /** Publications refused because too many were under way. */
  dropped = 0;

  constructor(options: BusRouterOptions) {
    this.options = options;
  }

  async start(local: LocalChannels): Promise<void> {
    const { log, incarnation, bus } = this.options;
    this.local = local;
    this.streams = new Streams({ log, incarnation, local });
    await bus.start(this);
    this.timers = [every(CHECK_MS, () => this.streams?.check(CHECKED_A_ROUND))];
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const stop of this.timers) stop();
    this.streams?.stop();
    await this.options.bus.stop();
  }

  get counts(): { readonly repeats: number; readonly foreign: number } {
    return { repeats: this.streams?.repeats ?? 0, foreign: this.streams?.foreign ?? 0 };
  }

  get congested(): boolean {
    const congested = this.waitingBytes > this.options.maxWaitingBytes * HIGH_WATER;
    this.relieving ||= congested;
    return congested;
  }

  publish({ channel, done, asker: _asker, ...message }: Publication): void {
    this.publishTo(message, [channel], done !== undefined, done && (([outcome]) => done(outcome as Outcome)));
  }

  publishMany(
    message: Message,
    channels: readonly string[],
    done?: (outcomes: readonly Outcome[]) => void,
  ): void {
    if (channels.length === 0) done?.([]);
    else this.publishTo(message, channels, done !== undefined, done);
  }

  subscribe(channel: string, sessions: number, answer: SubscribeAnswer): void {
    const stream = this.streams?.add(channel, sessions);
    if (!stream) return answer.failed();
    void this.register(stream, this.options.now() + this.options.patienceMs, answer);
  }

  resubscribe(channel: string, sessions: number): void {
    const stream = this.streams?.get(channel);
    if (!stream || stream.sessions === sessions) return;
    stream.sessions = sessions;
    this.options.bus.setSessions(channel, sessions);
  }

  unsubscribe(channel: string): void {
    this.streams?.remove(channel);
    this.options.bus.unregister(channel);
  }

  history(channel: string, since: Position, limit: number, claimed?: 'claimed'): Promise<History> | History {
    const { log } = this.options;
    return log ? log.read(channel, since, limit, claimed) : this.unlogged(channel, since);
  }

  recent(channel: string, count: number): Promise<History> | History {
    const { log } = this.options;
    return log ? log.tail(channel, count) : this.unlogged(channel, undefined);
  }

  kick(channel: string, banSeconds: number): void {
    this.local.kick(channel, banSeconds);
    const message = { from: quote(this.options.incarnation), id: '""', data: 'null' };
    const until = this.options.now() + this.options.patienceMs;
    void this.persist(until, () =>
      this.options.bus.send({ message, items: [{ kind: 'kick', channel, banSeconds }] }),
    ).catch(() => {});
  }

  onParcel({ message, items }: Parcel): void {
    this.received++;
    for (const item of items) {
      if (item.kind !== 'kick') {
        if (this.streams?.take(item, message) === false) this.options.bus.unregister(item.channel);
      } else if (message.from !== quote(this.options.incarnation)) {
        this.local.kick(item.channel, item.banSeconds ?? 0);
      }
    }
  }

  onBreak(): void {
    this.streams?.doubtAll();
  }

  held(): Iterable<Stream> {
    return this.streams?.values() ?? [];
  }

  private unlogged(channel: string, since: Position | undefined): History {
    if (!this.streams) throw new LogRefusedError('the router has not started');
    return this.streams.unlogged(channel, since);
  }

  /** Registers first: what is appended behind the head that is asked for then comes here. */
  private async register(stream: Stream, until: number, answer: SubscribeAnswer): Promise<void> {
    const { channel } = stream;
    const { bus, log } = this.options;
    const current = (): boolean => this.streams?.get(channel) === stream;
    try {
      const start = await this.persist(until, async () => {
        if (!current()) return undefined;
        await bus.register(channel, stream.sessions);
        return log ? log.head(channel) : this.streams?.freshStart();
      });
      if (!start || !current()) return answer.failed();
      this.streams?.begin(stream, start, () => answer.accepted(start));
    } catch {
      if (current()) this.unsubscribe(channel);
      answer.failed();
    }
  }

  /** Tries again for as long as the bus is away. @throws what the last try has thrown. */
  private async persist<T>(until: number, attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (this.stopped || this.options.now() >= until) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
  }

  private publishTo(
    message: Message,
    channels: readonly string[],
    dedupe: boolean,
    done: ((outcomes: readonly Outcome[]) => void) | undefined,
  ): void {
    const bytes = message.data.length + OVERHEAD_BYTES * channels.length;
    if (!this.streams || this.waitingBytes + bytes > this.options.maxWaitingBytes) {
      this.dropped += channels.length;
      done?.(channels.map(() => UNAVAILABLE));
      return;
    }
    this.waitingBytes += bytes;
    const { log } = this.options;
    const outcomes =
      message.ephemeral || !log
        ? this.sendUnlogged(message, channels)
        : this.sendLogged(log, message, channels, dedupe);
    void outcomes.then((all) => {
      this.waitingBytes -= bytes;
      done?.(all);
      if (!this.relieving || this.congested) return;
      this.relieving = false;
      this.local.relieved();
    });
  }

  private async sendUnlogged(message: Message, channels: readonly string[]): Promise<readonly Outcome[]> {
    const kind = message.ephemeral ? 'ephemeral' : 'unlogged';
    const sent = await this.send(
      message,
      channels.map((channel) => ({ channel, kind })),
    );
    return sent.map((reached): Outcome => {
      if (typeof reached !== 'number') return reached;
      return { kind: 'published', reached, position: undefined, duplicate: false };
    });
  }

  /** What is stored is published, also where nobody can be told now: who holds the channel finds it in the log. */
  private async sendLogged(
    log: SharedLog,
    message: Message,
    channels: readonly string[],
    dedupe: boolean,
  ): Promise<readonly Outcome[]> {
    const { from, id, data } = message;
    const stored = channels.map((channel) =>
      log
        .append(channel, { from, id, data, dedupe }, this.streams?.get(channel)?.at)
        .catch((error: unknown) => failureOf(error)),
    );
    const results =
      stored.length === 1 ? [await (stored[0] as (typeof stored)[0])] : await Promise.all(stored);
    const items: Item[] = [];
    /** Where in `items` each channel's is. */
    const places = results.map((result, i) => {
      const item = itemOf(channels[i] as string, result);
      return item && items.push(item) - 1;
    });
    const sent = await this.send(message, items);
    return results.map((result, i): Outcome => {
      if (result.kind === 'failed' || result.kind === 'published') return result;
      if (result.kind === 'conflict') return CONFLICT;
      const duplicate = result.kind === 'duplicate';
      const reached = sent[places[i] ?? -1];
      const count = duplicate || typeof reached !== 'number' ? 0 : reached;
      const position = duplicate ? result.position : result.message.position;
      return { kind: 'published', reached: count, position, duplicate };
    });
  }

  /** For each item the sessions it reaches, as far as is known, or what became of it. */
  private async send(message: Message, items: readonly Item[]): Promise<readonly (number | Outcome)[]> {
    const sendings: Promise<readonly (number | Outcome)[]>[] = [];
    for (let from = 0; from < items.length; from += ITEMS_A_PARCEL) {
      const some = items.slice(from, from + ITEMS_A_PARCEL);
      sendings.push(
        this.options.bus.send({ message, items: some }).then(
          // where nobody counts, those that are here
          (reached) => reached ?? some.map(({ channel }) => this.streams?.get(channel)?.sessions ?? 0),
          (error: unknown) => some.map(() => failureOf(error)),
        ),
      );
    }
    return (await Promise.all(sendings)).flat();
  }
}

/** What holders are told of an append. A repeat may have been stored by someone who could not tell them. */
function itemOf(channel: string, result: Appended | Outcome): Item | undefined {
  if (result.kind === 'appended') {
    const { position, previous } = result.message;
    return { channel, kind: 'logged', position, previous };
  }
  if (result.kind === 'duplicate') return { channel, kind: 'behind', position: result.position };
  return undefined;
}

function failureOf(error: unknown): Outcome {
  return error instanceof LogRefusedError ? UNAVAILABLE : UNKNOWN;
}
