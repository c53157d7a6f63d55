import type { Position } from '@ringway/protocol';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryLog } from '../src/log/memory.ts';
import type { LoggedMessage, LogRead, SharedLog } from '../src/log/port.ts';
import { Tenures } from '../src/log/tenures.ts';
import { type Holder, Home } from '../src/router/home.ts';
import type { Outcome, Router } from '../src/router/port.ts';
import { RecordedChannels } from './support/recorded-channels.ts';

const CHANNEL = 'group:g';

class RecordedHolder implements Holder {
  readonly nodeId = 'node-2';
  readonly open = true;
  readonly records: string[] = [];

  send(record: string): void {
    this.records.push(record);
  }
}

describe('interest that stands by at whoever is home next', () => {
  let home: Home;
  let holder: RecordedHolder;
  let said: number;

  beforeEach(() => {
    const now = (): number => performance.now();
    const epochs = new Tenures('i1', () => 0);
    const bounds = { channelMessages: 10, totalBytes: 1_000_000, retentionMs: 60_000, channels: 10 };
    home = new Home(new MemoryLog({ ...bounds, epochs, now }), new RecordedChannels());
    holder = new RecordedHolder();
    said = 0;
  });

  function reached(): number {
    const outcomes: Outcome[] = [];
    const message = { from: '"user:a"', id: `"${++said}"`, data: '1', ephemeral: false };
    home.publish(CHANNEL, message, true, (outcome) => outcomes.push(outcome));
    const [outcome] = outcomes;
    return outcome?.kind === 'published' ? outcome.reached : Number.NaN;
  }

  it('is sent nothing before that, and all from then on', () => {
    home.standBy(holder, { channel: CHANNEL, sessions: 3 }, false);
    expect(reached()).toBe(0);
    home.takeOver((channel) => channel !== CHANNEL);
    expect(reached()).toBe(0);
    home.takeOver(() => true);
    expect(reached()).toBe(3);
    expect(holder.records).toHaveLength(1);
    // as any other interest it ends with this node's being home
    home.dropChannels(() => true);
    home.takeOver(() => true);
    expect(reached()).toBe(0);
  });

  it('stays where it has no sessions for a while, and a check finds it so', () => {
    home.standBy(holder, { channel: CHANNEL, sessions: 3 }, true);
    home.setSessions(holder, CHANNEL, 0);
    home.check(holder, [{ channel: CHANNEL, sessions: 0, at: home.head(CHANNEL) as Position }]);
    expect(holder.records).toEqual([]);
    expect(reached()).toBe(0);
    expect(holder.records).toHaveLength(1);
  });

  it('counts at once where this node is home already', () => {
    home.standBy(holder, { channel: CHANNEL, sessions: 2 }, true);
    expect(reached()).toBe(2);
  });

  it('gives way to what its holder registers, and neither outlives the other', () => {
    home.standBy(holder, { channel: CHANNEL, sessions: 3 }, false);
    home.register(
      holder,
      CHANNEL,
      { sessions: 1 },
      undefined,
      () => {},
      () => {},
      () => true,
    );
    home.takeOver(() => true);
    expect(reached()).toBe(1);
    home.standBy(holder, { channel: CHANNEL, sessions: 2 }, false);
    expect(reached()).toBe(2);
    home.standBy(holder, { channel: CHANNEL, sessions: 0 }, false);
    expect(reached()).toBe(0);
    home.standBy(holder, { channel: CHANNEL, sessions: 1 }, false);
    home.withdraw(holder, CHANNEL);
    home.takeOver(() => true);
    expect(reached()).toBe(0);
  });

  it('falls with the link', () => {
    home.standBy(holder, { channel: CHANNEL, sessions: 3 }, false);
    home.dropHolder(holder);
    home.takeOver(() => true);
    expect(reached()).toBe(0);
  });
});

/** A shared log that another node has written to. */
class WrittenLog implements SharedLog {
  readonly shared = true;
  written = 0;

  async head(): Promise<Position> {
    return at(this.written);
  }

  append(): Promise<never> {
    return Promise.reject(new Error('not asked for'));
  }

  async read(_channel: string, since: Position | undefined): Promise<LogRead> {
    const messages: LoggedMessage[] = [];
    for (let seq = (since?.seq ?? 0) + 1; seq <= this.written; seq++) {
      const place = { position: at(seq), previous: at(seq - 1) };
      messages.push({ from: '"user:a"', id: `"${seq}"`, data: String(seq), dedupe: true, ...place });
    }
    return { start: since ?? at(0), messages, end: at(this.written), more: false };
  }

  tail(): Promise<LogRead> {
    return this.read('', at(this.written));
  }

  async close(): Promise<void> {}
}

const at = (seq: number): Position => ({ epoch: 'e1', seq });

describe('a home that compares itself with a shared log', () => {
  it('sends on what another one has appended, also where it has sent nothing itself', async () => {
    const log = new WrittenLog();
    const local = new RecordedChannels();
    const home = new Home(log, local);
    log.written = 2;
    const router = { subscribe: (_name, _sessions, answer) => answer.accepted(at(2)) } as Pick<
      Router,
      'subscribe'
    >;
    await local.join(router as Router, CHANNEL);
    // the home before this one has had its last word stored after this one had looked
    log.written = 3;
    home.verify(CHANNEL);
    await vi.waitFor(() => expect(local.positionOf(CHANNEL)).toEqual(at(3)));
    home.verify(CHANNEL);
    log.written = 4;
    home.verify(CHANNEL);
    await vi.waitFor(() => expect(local.positionOf(CHANNEL)).toEqual(at(4)));
  });

  it('tells its own sessions where it is, which could not read what they had missed', async () => {
    const log = new WrittenLog();
    const local = new RecordedChannels();
    const home = new Home(log, local);
    const router = { subscribe: (_name, _sessions, answer) => answer.accepted(at(2)) } as Pick<
      Router,
      'subscribe'
    >;
    await local.join(router as Router, CHANNEL);
    log.written = 3;
    // as a hub does whose own read of the log comes to nothing
    const missed = vi.spyOn(local, 'deliver').mockImplementation(() => 0);
    home.verify(CHANNEL);
    await vi.waitFor(() => expect(missed).toHaveBeenCalled());
    await new Promise((resolve) => setImmediate(resolve));
    expect(local.positionOf(CHANNEL)).toEqual(at(2));
    home.verify(CHANNEL);
    await vi.waitFor(() => expect(local.positionOf(CHANNEL)).toEqual(at(3)));
  });
});

/** A shared log whose answers come when the test says so. */
class SlowLog implements SharedLog {
  readonly shared = true;
  readonly answers: (() => void)[] = [];

  head(): Promise<Position> {
    return new Promise((resolve) => this.answers.push(() => resolve(at(7))));
  }

  async read(): Promise<LogRead> {
    const end = await this.head();
    return { start: end, messages: [], end, more: false };
  }

  tail(): Promise<LogRead> {
    return this.read();
  }

  append(): Promise<never> {
    return Promise.reject(new Error('not asked for here'));
  }

  async close(): Promise<void> {}
}

describe('a registration for which a shared log is asked', () => {
  let log: SlowLog;
  let home: Home;
  let holder: RecordedHolder;
  let accepted: number;

  beforeEach(() => {
    log = new SlowLog();
    home = new Home(log, new RecordedChannels());
    holder = new RecordedHolder();
    accepted = 0;
  });

  const register = (sessions: number, since?: Position): void =>
    home.register(
      holder,
      CHANNEL,
      { sessions },
      since,
      () => accepted++,
      () => {},
      () => true,
    );
  const answer = async (): Promise<void> => {
    for (const each of log.answers.splice(0)) each();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const registered = (): string[] => [...home.channels()];

  it('leaves nothing behind when it was taken back meanwhile', async () => {
    for (const since of [undefined, at(7)]) {
      register(1, since);
      home.withdraw(holder, CHANNEL);
      await answer();
      expect(registered()).toEqual([]);
    }
    expect(accepted).toBe(0);
  });

  it('counts where it was asked for again', async () => {
    register(1);
    home.withdraw(holder, CHANNEL);
    register(2);
    await answer();
    expect(registered()).toEqual([CHANNEL]);
    expect(accepted).toBe(1);
    home.withdraw(holder, CHANNEL);
    expect(registered()).toEqual([]);
  });
});
