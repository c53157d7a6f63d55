import { every } from '@ringway/service';
import { LogRefusedError } from '../../log/port.ts';
import type { RedisConnection } from '../../log/redis-connection.ts';
import { wireArgument } from '../../log/redis-message.ts';
import type { RedisScript } from '../../log/redis-script.ts';
import { quote } from '../../text.ts';
import { encodeItem, encodeMessage } from './parcel.ts';
import type { Bus, BusUser, Parcel } from './port.ts';
import { baseOf, connectionOf, counted, type RedisBusOptions, readerOf, receiveOne } from './redis-parts.ts';
import type { RedisReader } from './redis-reader.ts';
import { beatScript, leaveScript, registerScript, sendScript, unregisterScript } from './redis-scripts.ts';
import { RedisSending } from './redis-sending.ts';

export interface DirectoryRedisOptions extends RedisBusOptions {
  /** Within this time the entries of a dead node are gone, in milliseconds. */
  readonly ttlMs: number;
  /** Most parcels that wait for one node. */
  readonly queueLength: number;
}

/** Parts of the time to live: how long a node counts as alive after its last word, and how often it says one. */
const LEASE_PART = 2 / 3;
const BEAT_PART = 1 / 6;
const MOST_BEAT_MS = 1_000;
/** Channels registered in one call. */
const REGISTERED_AT_ONCE = 500;

/** Redis holds channel -> nodes; each node has a queue of its own there, from which it alone takes. */
export class DirectoryRedis implements Bus {
  private readonly options: DirectoryRedisOptions;
  private readonly base: string;
  private readonly node: string;
  private readonly connection: RedisConnection;
  private readonly sending: RedisSending;
  private user: BusUser | undefined;
  private reader: RedisReader | undefined;
  private stopBeats: () => void = () => {};
  private beating = false;
  /** A call that changes the directory was not confirmed: it is said again. */
  private unsaid = false;

  constructor(options: DirectoryRedisOptions) {
    const { nodeId, incarnation, ttlMs, queueLength, hooks } = options;
    this.options = options;
    this.base = baseOf(options);
    this.node = `${nodeId}#${incarnation}`;
    this.connection = connectionOf(options);
    this.sending = new RedisSending(this.connection, {
      script: sendScript,
      base: this.base,
      argumentsOf: (parcels) => [
        String(queueLength),
        String(ttlMs),
        ...parcels.flatMap(({ message, items }) => [
          encodeMessage(message),
          String(items.length),
          ...items.flatMap((item) => [item.kind === 'kick' ? '' : keyOf(item.channel), encodeItem(item)]),
        ]),
      ],
      reachedOf: (reply) => {
        const [full = 0, ...reached] = reply as number[];
        if (full > 0) hooks.full(full);
        return reached;
      },
    });
  }

  get connected(): boolean {
    return this.connection.connected && this.reader?.up === true;
  }

  async start(user: BusUser): Promise<void> {
    const { options } = this;
    const { ttlMs } = options;
    this.user = user;
    await this.connection.start();
    await this.beat();
    const reader = readerOf(options, { queue: `${this.base}:q:${this.node}` }, user, receiveOne);
    this.reader = reader;
    await reader.start();
    this.stopBeats = every(Math.min(MOST_BEAT_MS, Math.max(20, ttlMs * BEAT_PART)), () => void this.beat());
  }

  send(parcel: Parcel): Promise<readonly number[] | undefined> {
    return counted(this.options.hooks, this.sending.send(parcel));
  }

  async register(channel: string, sessions: number): Promise<void> {
    if (!this.reader?.up) throw new LogRefusedError('nothing comes from Redis');
    const alive = await this.call(registerScript, keyOf(channel), String(sessions));
    if (alive === 1) return;
    void this.beat();
    throw new LogRefusedError('the directory has taken this node for dead');
  }

  setSessions(channel: string, sessions: number): void {
    this.call(registerScript, keyOf(channel), String(sessions)).then(
      (alive) => {
        this.unsaid ||= alive !== 1;
      },
      () => {
        this.unsaid = true;
      },
    );
  }

  /** Where that fails, the next parcel for the channel is a reason to say it again. */
  unregister(channel: string): void {
    this.call(unregisterScript, keyOf(channel)).catch(() => {});
  }

  async stop(): Promise<void> {
    this.stopBeats();
    this.reader?.stop();
    try {
      while ((await this.call(leaveScript)) === 1);
    } catch {
      // it expires
    }
    await this.connection.close();
  }

  /** Says that this node lives, and takes those out of the directory who do not. */
  private async beat(): Promise<void> {
    if (this.beating) return;
    this.beating = true;
    try {
      for (let more = 1; more === 1; ) {
        const leaseMs = Math.round(this.options.ttlMs * LEASE_PART);
        const [alive, lost, left = 0] = (await this.call(beatScript, String(leaseMs))) as number[];
        more = left;
        if (alive !== 1 || this.unsaid) await this.registerAll();
        if (alive !== 1 || lost === 1) this.user?.onBreak();
      }
    } catch {
      // counted; the next beat is soon
    } finally {
      this.beating = false;
    }
  }

  private async registerAll(): Promise<void> {
    this.unsaid = false;
    let args: string[] = [];
    const flush = async (): Promise<void> => {
      const alive = args.length === 0 || (await this.call(registerScript, ...args)) === 1;
      args = [];
      if (!alive) throw new LogRefusedError('the directory has taken this node for dead');
    };
    try {
      for (const { channel, sessions } of this.user?.held() ?? []) {
        args.push(keyOf(channel), String(sessions));
        if (args.length >= 2 * REGISTERED_AT_ONCE) await flush();
      }
      await flush();
    } catch (error) {
      this.unsaid = true;
      throw error;
    }
  }

  private call(script: RedisScript, ...args: string[]): Promise<unknown> {
    const { connection, options } = this;
    return counted(
      options.hooks,
      connection.call(script, [this.base], [this.node, ...args.map(wireArgument)]),
    );
  }
}

/** The channel's name in a key: whatever it is made of, two names are never one. */
function keyOf(channel: string): string {
  return quote(channel).slice(1, -1);
}
