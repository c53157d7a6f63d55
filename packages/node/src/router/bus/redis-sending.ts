import type { RedisConnection } from '../../log/redis-connection.ts';
import { wireArgument } from '../../log/redis-message.ts';
import type { RedisScript } from '../../log/redis-script.ts';
import type { Parcel } from './port.ts';

/** How parcels become the arguments of a call, and its reply the sessions that they reach. */
export interface SendingForm {
  readonly script: RedisScript;
  /** First part of the names of all keys, and their hash tag. */
  readonly base: string;
  argumentsOf(parcels: readonly Parcel[]): readonly string[];
  reachedOf(reply: unknown): readonly number[] | undefined;
}

interface Waiting {
  readonly parcel: Parcel;
  resolve(reached: readonly number[] | undefined): void;
  reject(error: unknown): void;
}

/** Parcels and items of one call at most, and about so many characters. */
const MOST_PARCELS = 128;
const MOST_ITEMS = 1_000;
const MOST_LENGTH = 256 * 1024;

/** Gathers what is sent in one turn of the event loop: one call of a script for many parcels. */
export class RedisSending {
  private readonly connection: RedisConnection;
  private readonly form: SendingForm;
  private waiting: Waiting[] = [];

  constructor(connection: RedisConnection, form: SendingForm) {
    this.connection = connection;
    this.form = form;
  }

  send(parcel: Parcel): Promise<readonly number[] | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly number[] | undefined>();
    if (this.waiting.push({ parcel, resolve, reject }) === 1) setImmediate(() => this.flush());
    return promise;
  }

  private flush(): void {
    const { waiting } = this;
    this.waiting = [];
    for (let from = 0; from < waiting.length; ) {
      let to = from;
      let items = 0;
      let length = 0;
      while (to < waiting.length && to - from < MOST_PARCELS && items < MOST_ITEMS && length < MOST_LENGTH) {
        const { parcel } = waiting[to++] as Waiting;
        items += parcel.items.length;
        length += parcel.message.data.length;
      }
      this.call(waiting.slice(from, to));
      from = to;
    }
  }

  private call(batch: readonly Waiting[]): void {
    const { connection, form } = this;
    const args = form.argumentsOf(batch.map(({ parcel }) => parcel)).map(wireArgument);
    connection.call(form.script, [form.base], args).then(
      (reply) => {
        const reached = form.reachedOf(reply);
        let at = 0;
        for (const { parcel, resolve } of batch) {
          resolve(reached?.slice(at, at + parcel.items.length));
          at += parcel.items.length;
        }
      },
      (error: unknown) => {
        for (const { reject } of batch) reject(error);
      },
    );
  }
}
