import type { Logger } from '@ringway/service';
import { LogRefusedError } from '../../log/port.ts';
import type { ClientOptions } from '../../log/redis-client.ts';
import { RedisConnection } from '../../log/redis-connection.ts';
import { decodeParcel, partsOf } from './parcel.ts';
import type { BusUser } from './port.ts';
import { RedisReader, type RedisReaderOptions } from './redis-reader.ts';

/** What a bus over Redis tells of itself, for metrics. */
export interface RedisBusHooks {
  /** Calls that came to nothing, or to nothing that is known. */
  failed(result: 'refused' | 'unknown' | 'unfit'): void;
  /** Parcels that a node did not get, because its queue was full. */
  full(count: number): void;
  /** Parcels that could not be read. */
  unreadable(): void;
}

export interface RedisBusOptions extends ClientOptions {
  /** First part of the name of every key. */
  readonly cluster: string;
  readonly nodeId: string;
  readonly incarnation: string;
  readonly logger: Logger;
  readonly hooks: RedisBusHooks;
  readonly random: () => number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/** What all keys begin with: a hash tag, so that one script can use them all in a Redis Cluster too. */
export function baseOf({ cluster }: RedisBusOptions): string {
  return `{${cluster}:router}`;
}

export function connectionOf({ hooks, ...options }: RedisBusOptions): RedisConnection {
  return new RedisConnection({ ...options, onUnfit: () => hooks.failed('unfit') });
}

export function readerOf(
  options: RedisBusOptions,
  source: RedisReaderOptions['source'],
  user: BusUser,
  receive: (text: string, user: BusUser) => void,
): RedisReader {
  return new RedisReader({
    ...options,
    source,
    onText: (text) => {
      try {
        receive(text, user);
      } catch (error) {
        // Redis is shared: what somebody else has put there ends nothing
        if (!(error instanceof SyntaxError)) throw error;
        options.hooks.unreadable();
      }
    },
    onUp: () => user.onBreak(),
  });
}

export function receiveOne(text: string, user: BusUser): void {
  user.onParcel(decodeParcel(text));
}

export function receiveMany(text: string, user: BusUser): void {
  for (const one of partsOf(text)) user.onParcel(decodeParcel(one));
}

/** Counts a call that fails. */
export function counted<T>(hooks: RedisBusHooks, call: Promise<T>): Promise<T> {
  call.catch((error: unknown) => hooks.failed(error instanceof LogRefusedError ? 'refused' : 'unknown'));
  return call;
}
