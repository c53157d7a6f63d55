import { every, type Logger } from '@ringway/service';
import { LogRefusedError } from '../log/port.ts';
import type { ClientOptions } from '../log/redis-client.ts';
import { RedisConnection } from '../log/redis-connection.ts';
import { wireArgument } from '../log/redis-message.ts';
import type { RedisScript } from '../log/redis-script.ts';
import { RedisReader } from '../router/bus/redis-reader.ts';
import { fromWire, jsonFromWire, jsonToWire, toWire } from '../text.ts';
import { inOrder } from './membership-table.ts';
import {
  type MemberPage,
  type Roster,
  RosterFullError,
  RosterRefusedError,
  RosterUnknownError,
  type RosterUser,
} from './port.ts';
import { countScript, groupsScript, membersScript, putScript, removeScript } from './redis-scripts.ts';

/** What a roster in Redis tells of itself, for metrics. */
export interface RedisRosterHooks {
  /** Calls that came to nothing, or to nothing that is known; what came and could not be read. */
  failed(result: 'refused' | 'unknown' | 'unfit' | 'unreadable'): void;
}

export interface RedisRosterOptions extends ClientOptions {
  /** First part of the name of every key. */
  readonly cluster: string;
  /** Groups that a user may be put in. */
  readonly maxUserGroups: number;
  readonly logger: Logger;
  readonly hooks: RedisRosterHooks;
  readonly random: () => number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
}

interface Reading {
  readonly userId: string;
  resolve(groups: readonly string[]): void;
  reject(error: Error): void;
}

/** Users whose groups are read in one call. */
const USERS_A_CALL = 128;
/** How often the number of the last change is compared with what was heard, in milliseconds. */
const COUNT_MS = 5_000;

/** Keeps memberships in Redis, for all nodes; one channel tells them what has changed. */
export class RedisRoster implements Roster {
  private readonly options: RedisRosterOptions;
  private readonly base: string;
  private readonly connection: RedisConnection;
  private reader: RedisReader | undefined;
  private user: RosterUser | undefined;
  private readings: Reading[] = [];
  /** Numbers of the last change: as it was heard, and as Redis has told it. */
  private heard: number | undefined;
  private told = 0;
  private stopCounting: () => void = () => {};

  constructor(options: RedisRosterOptions) {
    this.options = options;
    this.base = `{${options.cluster}:groups}`;
    this.connection = new RedisConnection({ ...options, onUnfit: () => options.hooks.failed('unfit') });
  }

  get connected(): boolean {
    return this.connection.connected && this.reader?.up === true;
  }

  async start(user: RosterUser): Promise<void> {
    this.user = user;
    this.reader = new RedisReader({
      ...this.options,
      source: { channel: `${this.base}:changes` },
      onText: (text) => this.onChange(text),
      onUp: () => {
        this.heard = undefined;
        user.doubtful();
      },
    });
    await Promise.all([this.connection.start(), this.reader.start()]);
    this.stopCounting = every(COUNT_MS, () => void this.compareCounts());
  }

  async stop(): Promise<void> {
    this.stopCounting();
    this.reader?.stop();
    await this.connection.close();
  }

  async put(userId: string, group: string): Promise<void> {
    const { maxUserGroups } = this.options;
    const change = jsonToWire([userId, group, true]);
    const done = await this.change(putScript, userId, group, change, String(maxUserGroups));
    if (done === 1) return;
    throw new RosterFullError(`${userId} is in ${maxUserGroups} groups already, the most that are allowed`);
  }

  async remove(userId: string, group: string): Promise<void> {
    await this.change(removeScript, userId, group, jsonToWire([userId, group, false]));
  }

  /** All that is asked in one turn of the event loop goes in few calls. */
  groupsOf(userId: string): Promise<readonly string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    if (this.readings.push({ userId, resolve, reject }) === 1) setImmediate(() => this.flush());
    return promise;
  }

  async membersOf(group: string, after: string, limit: number): Promise<MemberPage> {
    const from = after === '' ? '-' : `(${toWire(after)}`;
    const found = (await this.read(membersScript, toWire(group), from, String(limit + 1))) as string[];
    return { members: found.slice(0, limit).map(fromWire), more: found.length > limit };
  }

  private flush(): void {
    const { readings } = this;
    this.readings = [];
    for (let from = 0; from < readings.length; from += USERS_A_CALL) {
      const some = readings.slice(from, from + USERS_A_CALL);
      this.read(groupsScript, ...some.map(({ userId }) => toWire(userId))).then(
        (replies) => {
          for (const [i, { resolve }] of some.entries())
            resolve(inOrder((replies as string[][])[i]?.map(fromWire) ?? []));
        },
        (error: Error) => {
          for (const { reject } of some) reject(error);
        },
      );
    }
  }

  private async change(
    script: RedisScript,
    userId: string,
    group: string,
    ...rest: string[]
  ): Promise<unknown> {
    try {
      return await this.call(script, toWire(userId), toWire(group), ...rest);
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof LogRefusedError) throw new RosterRefusedError(message);
      throw new RosterUnknownError(message);
    }
  }

  private async read(script: RedisScript, ...args: string[]): Promise<unknown> {
    try {
      return await this.call(script, ...args);
    } catch (error) {
      throw new RosterRefusedError((error as Error).message);
    }
  }

  private async call(script: RedisScript, ...args: string[]): Promise<unknown> {
    try {
      return await this.connection.call(script, [this.base], args.map(wireArgument));
    } catch (error) {
      this.options.hooks.failed(error instanceof LogRefusedError ? 'refused' : 'unknown');
      throw error;
    }
  }

  private onChange(text: string): void {
    const [number, change] = changeIn(text) ?? [];
    if (number === undefined || change === undefined) return this.options.hooks.failed('unreadable');
    const missed = this.heard !== undefined && number !== this.heard + 1;
    this.heard = number;
    this.user?.changed(...change);
    // Redis has lost some, or has begun anew
    if (missed) this.user?.doubtful();
  }

  /** A change that was published and did not come is seen here. One that is on its way has come by the next time. */
  private async compareCounts(): Promise<void> {
    if (!this.connected) return;
    const { told } = this;
    try {
      this.told = (await this.call(countScript)) as number;
    } catch {
      return;
    }
    this.heard ??= this.told;
    if (this.told !== told || this.heard === told) return;
    this.heard = told;
    this.user?.doubtful();
  }
}

/** A change as the scripts tell it; undefined for what somebody else has published there. */
function changeIn(text: string): [number: number, change: [string, string, boolean]] | undefined {
  const [, number, json] = /^(\d+):(.*)$/s.exec(text) ?? [];
  if (number === undefined || json === undefined) return undefined;
  try {
    const change = jsonFromWire(json);
    if (!Array.isArray(change)) return undefined;
    const [userId, group, present] = change as unknown[];
    const isChange = typeof userId === 'string' && typeof group === 'string' && typeof present === 'boolean';
    return isChange ? [Number(number), [userId, group, present]] : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
