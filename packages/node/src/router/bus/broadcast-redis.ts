import { LogRefusedError } from '../../log/port.ts';
import type { RedisConnection } from '../../log/redis-connection.ts';
import { encodeParcel, part } from './parcel.ts';
import type { Bus, BusUser, Parcel } from './port.ts';
import { baseOf, connectionOf, counted, type RedisBusOptions, readerOf, receiveMany } from './redis-parts.ts';
import type { RedisReader } from './redis-reader.ts';
import { broadcastScript } from './redis-scripts.ts';
import { RedisSending } from './redis-sending.ts';

/** One channel of Redis that all nodes listen to. Nobody knows who has subscribers. */
export class BroadcastRedis implements Bus {
  private readonly options: RedisBusOptions;
  private readonly connection: RedisConnection;
  private readonly sending: RedisSending;
  private reader: RedisReader | undefined;

  constructor(options: RedisBusOptions) {
    this.options = options;
    this.connection = connectionOf(options);
    this.sending = new RedisSending(this.connection, {
      script: broadcastScript,
      base: baseOf(options),
      argumentsOf: (parcels) => [parcels.map((parcel) => part(encodeParcel(parcel))).join('')],
      reachedOf: () => undefined,
    });
  }

  get connected(): boolean {
    return this.connection.connected && this.reader?.up === true;
  }

  async start(user: BusUser): Promise<void> {
    const { options } = this;
    const reader = readerOf(options, { channel: `${baseOf(options)}:all` }, user, receiveMany);
    this.reader = reader;
    await Promise.all([this.connection.start(), reader.start()]);
  }

  send(parcel: Parcel): Promise<undefined> {
    return counted(this.options.hooks, this.sending.send(parcel)) as Promise<undefined>;
  }

  /** What was published before still comes: it has passed by when this resolves. */
  register(): Promise<void> {
    return this.reader?.caughtUp() ?? Promise.reject(new LogRefusedError('the router has not started'));
  }

  setSessions(): void {}

  unregister(): void {}

  async stop(): Promise<void> {
    this.reader?.stop();
    await this.connection.close();
  }
}
