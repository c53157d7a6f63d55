import { randomUUID } from 'node:crypto';
import type { Position } from '@ringway/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log, LogMessage } from '../src/log/port.ts';

/** Bounds that a log under test is opened with. */
export interface LogBounds {
  /** A channel keeps at least its last so many messages, as long as they are not too old. */
  readonly messages: number;
  readonly ageMs: number;
}

export interface OpenedLog {
  readonly log: Log;
  /** Lets time pass for the log; absent where it goes by a clock that a test cannot move. */
  readonly pass?: (ms: number) => void;
  /** Opens the same store once more, as another node would; absent where each has its own. */
  readonly again?: () => Promise<Log>;
}

/** Opens a log; it is closed by the suite. Channels have names of their own, so that one store may serve all tests. */
export type OpenLog = (bounds: LogBounds) => Promise<OpenedLog> | OpenedLog;

const BOUNDS: LogBounds = { messages: 8, ageMs: 60_000 };
const MANY = Number.MAX_SAFE_INTEGER;

export function message(id: string, data = `"${id}"`, more: Partial<LogMessage> = {}): LogMessage {
  return { from: '"user:alice"', id: `"${id}"`, data, dedupe: true, ...more };
}

export function newChannel(): string {
  return `group:${randomUUID()}`;
}

/** What every log promises, whatever keeps it. */
export function logConformance(name: string, open: OpenLog): void {
  describe(`the log port over ${name}`, () => {
    let opened: OpenedLog;
    let log: Log;
    let channel: string;

    beforeEach(async () => {
      opened = await open(BOUNDS);
      log = opened.log;
      channel = newChannel();
    });
    afterEach(() => log.close());

    const append = async (id: string, data?: string, more?: Partial<LogMessage>, to = channel) => {
      const appended = await log.append(to, message(id, data, more));
      if (appended.kind !== 'appended') throw new Error(`${id} was taken for a ${appended.kind}`);
      return appended.message;
    };
    const read = async (since: Position | undefined, limit = MANY) => log.read(channel, since, limit);
    const ids = (messages: readonly LogMessage[]) => messages.map(({ id }) => JSON.parse(id) as string);

    it('gives each message the next position, and tells the one before it', async () => {
      let at = await log.head(channel);
      for (let i = 1; i <= 5; i++) {
        const stored = await append(`m${i}`);
        expect(stored.previous).toEqual(at);
        expect(stored.position).toEqual({ epoch: at.epoch, seq: at.seq + 1 });
        expect(await log.head(channel)).toEqual(stored.position);
        at = stored.position;
      }
    });

    it('takes appends in the order of the calls, also when none is awaited', async () => {
      const pending = Array.from({ length: 8 }, (_, i) => log.append(channel, message(`m${i}`)));
      await Promise.all(pending);
      expect(ids((await read(undefined)).messages)).toEqual([...Array(8).keys()].map((i) => `m${i}`));
    });

    it('keeps channels apart', async () => {
      const other = newChannel();
      await append('a');
      const first = await append('a', '"other"', {}, other);
      expect(first.position.seq).toBe(first.previous.seq + 1);
      expect(ids((await read(undefined)).messages)).toEqual(['a']);
      expect((await log.read(other, undefined, MANY)).messages.map(({ data }) => data)).toEqual(['"other"']);
    });

    it('gives back what was stored, to the last byte', async () => {
      const head = await log.head(channel);
      const odd = '{ "n": 9007199254740993.10, "t": "\\u0000\\u00e9 \xc3\xa9 \xf0\x9f\x98\x80" }';
      await append('odd', odd, { from: '"user:\xc3\xa9"' });
      const [stored] = (await read(head)).messages;
      expect(stored).toMatchObject({ from: '"user:\xc3\xa9"', id: '"odd"', data: odd });
      const long = `"${'x'.repeat(300_000)}"`;
      await append('long', long);
      expect((await log.tail(channel, 1)).messages[0]?.data).toBe(long);
    });

    it('keeps every channel for itself, whatever its name', async () => {
      const names = [
        '}',
        '{}',
        'a}b',
        'a',
        'a%7Db',
        '%',
        '{',
        'é',
        'e\u0301',
        '漢字',
        '😀',
        '\ud83d',
        '\ud83e',
        ' ',
        ':m',
        'x'.repeat(250),
      ];
      const channels = names.map((name) => `${newChannel()}:${name}`.slice(6));
      for (const [i, one] of channels.entries()) await append('same', String(i), {}, one);
      for (const [i, one] of channels.entries()) {
        const { messages } = await log.read(one, undefined, MANY);
        expect(messages.map(({ data }) => data)).toEqual([String(i)]);
      }
    });

    it('gives a long channel as a whole, or as much of it as was asked for', async () => {
      await log.close();
      opened = await open({ messages: 1_000, ageMs: 60_000 });
      log = opened.log;
      const before = await log.head(channel);
      await Promise.all(Array.from({ length: 350 }, (_, i) => append(`m${i}`)));
      for (const [limit, count] of [
        [MANY, 350],
        [351, 350],
        [250, 250],
        [100, 100],
      ] as const) {
        const { start, messages, end, more } = await read(before, limit);
        expect(start).toEqual(before);
        expect(more).toBe(count < 350);
        expect(ids(messages)).toEqual([...Array(count).keys()].map((i) => `m${i}`));
        expect(end).toEqual(messages.at(-1)?.position);
      }
      expect(ids((await log.tail(channel, 220)).messages)).toEqual(
        [...Array(220).keys()].map((i) => `m${130 + i}`),
      );
    });

    it('does not mind what the caller knows, as long as it knows no more than the log', async () => {
      const start = await log.head(channel);
      const first = await append('m0');
      const second = await append('m1');
      for (const known of [start, first.position, second.position])
        expect(await log.head(channel, known)).toEqual(second.position);
      const third = await log.append(channel, message('m2'), first.position);
      expect(third).toMatchObject({ kind: 'appended', message: { previous: second.position } });
      expect(await log.append(channel, message('m2'), first.position)).toMatchObject({ kind: 'duplicate' });
      const fourth = await log.append(channel, message('m3'), { epoch: 'elsewhere', seq: 1_000 });
      expect(fourth).toMatchObject({
        kind: 'appended',
        message: { previous: { epoch: start.epoch, seq: 3 } },
      });
    });

    it('is one log to all who share it', async () => {
      expect(log.shared).toBe(opened.again !== undefined);
      const other = (await opened.again?.()) ?? log;
      try {
        const start = await log.head(channel);
        expect(await other.head(channel)).toEqual(start);
        const both = [...Array(8).keys()].map((i) =>
          (i % 2 === 0 ? log : other).append(channel, message(`m${i}`)),
        );
        const seqs = (await Promise.all(both)).map(
          (one) => one.kind === 'appended' && one.message.position.seq,
        );
        expect(seqs.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
        expect(await other.append(channel, message('m0'))).toMatchObject({ kind: 'duplicate' });
        expect(await other.read(channel, start, MANY)).toEqual(await read(start));
      } finally {
        if (other !== log) await other.close();
      }
    });

    it('stores the same (from, id) once, and says where it stands', async () => {
      const first = await append('same', '1');
      await append('other');
      expect(await log.append(channel, message('same', '1'))).toEqual({
        kind: 'duplicate',
        position: first.position,
      });
      expect(ids((await read(undefined)).messages)).toEqual(['same', 'other']);
    });

    it('refuses the same (from, id) with other data, and stores nothing of it', async () => {
      await append('same', '1');
      const head = await log.head(channel);
      expect(await log.append(channel, message('same', '2'))).toEqual({ kind: 'conflict' });
      expect(await log.head(channel)).toEqual(head);
    });

    it('takes the same id from another sender, or on another channel, for another message', async () => {
      await append('same', '1');
      await append('same', '2', { from: '"user:bob"' });
      await append('same', '3', {}, newChannel());
      // no separator between the two may make one of another
      await append('b', '1', { from: '"user:a"' });
      await append('', '2', { from: '"user:a"', id: '"b2"' });
      expect((await read(undefined)).messages).toHaveLength(4);
      for (const id of ['x'.repeat(200), `${'x'.repeat(199)}y`, '\xc3\xa9', '\xc3\xa8']) {
        await append(id);
        expect(await log.append(channel, message(id))).toMatchObject({ kind: 'duplicate' });
      }
    });

    it('does not look for repeats where none can come', async () => {
      const first = await append('same', '1', { dedupe: false });
      const second = await append('same', '1', { dedupe: false });
      expect(second.previous).toEqual(first.position);
    });

    it('reads what came after a position, the first ones where there are more than asked for', async () => {
      const places = [await log.head(channel)];
      for (let i = 0; i < 6; i++) places.push((await append(`m${i}`)).position);
      for (const [i, since] of places.entries()) {
        const all = await read(since);
        expect(all.start).toEqual(since);
        expect(ids(all.messages)).toEqual([...Array(6).keys()].slice(i).map((k) => `m${k}`));
        const two = await read(since, 2);
        expect(two.start).toEqual(since);
        expect(ids(two.messages)).toEqual(ids(all.messages).slice(0, 2));
        expect(two.end).toEqual(two.messages.at(-1)?.position ?? since);
      }
    });

    it('reads the last so many', async () => {
      const start = await log.head(channel);
      expect(await log.tail(channel, 3)).toEqual({ start, messages: [], end: start, more: false });
      for (let i = 0; i < 5; i++) await append(`m${i}`);
      const two = await log.tail(channel, 2);
      expect(ids(two.messages)).toEqual(['m3', 'm4']);
      expect(two.start).toEqual(two.messages[0]?.previous);
      expect(ids((await log.tail(channel, 50)).messages)).toHaveLength(5);
      const none = await log.tail(channel, 0);
      const head = await log.head(channel);
      expect(two.end).toEqual(head);
      expect(none).toEqual({ start: head, messages: [], end: head, more: false });
    });

    it('tells emptiness from a gap', async () => {
      const before = await log.head(channel);
      expect(await read(before)).toEqual({ start: before, messages: [], end: before, more: false });
      for (let i = 0; i < 40; i++) await append(`m${i}`);
      const head = await log.head(channel);
      expect(await read(head)).toEqual({ start: head, messages: [], end: head, more: false });
      const late = await read(before);
      expect(late.start).not.toEqual(before);
      expect(late.start.seq).toBeLessThanOrEqual(head.seq - BOUNDS.messages);
      expect(late.messages.at(-1)?.position).toEqual(head);
      expect(late.start).toEqual(late.messages[0]?.previous);
      expect(late.end).toEqual(head);
    });

    it('tells a gap to whoever comes with a position of elsewhere', async () => {
      const elsewhere = { epoch: 'elsewhere', seq: 3 };
      const empty = await read(elsewhere);
      const head = await log.head(channel);
      expect(empty).toEqual({ start: head, messages: [], end: head, more: false });
      for (let i = 0; i < 3; i++) await append(`m${i}`);
      const some = await read(elsewhere);
      expect(some.start.epoch).not.toBe('elsewhere');
      expect(ids(some.messages)).toEqual(['m0', 'm1', 'm2']);
    });

    it('holds under any order of calls', async () => {
      await fc.assert(
        fc.asyncProperty(commands(opened.pass !== undefined), async (list) => {
          const { log: fresh, pass } = await open(BOUNDS);
          try {
            const model = new LogModel(fresh, newChannel(), newChannel());
            for (const command of list) {
              if (command.do === 'pass') {
                pass?.(command.ms);
                model.now += command.ms;
              } else await model.run(command);
            }
          } finally {
            await fresh.close();
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}

type Command =
  | {
      readonly do: 'append';
      readonly second: boolean;
      readonly id: number;
      readonly data: number;
      readonly dedupe: boolean;
      /** So many places back the caller has seen the channel; it knows nothing where there are not so many. */
      readonly knows: number;
    }
  | { readonly do: 'read'; readonly second: boolean; readonly back: number; readonly limit: number }
  | { readonly do: 'tail'; readonly second: boolean; readonly count: number }
  | { readonly do: 'pass'; readonly ms: number };

function commands(timed: boolean): fc.Arbitrary<Command[]> {
  const second = fc.boolean();
  const append = fc.record({
    do: fc.constant('append' as const),
    second,
    id: fc.nat(12),
    data: fc.nat(1),
    dedupe: fc.boolean(),
    knows: fc.nat(20),
  });
  const read = fc.record({
    do: fc.constant('read' as const),
    second,
    back: fc.nat(30),
    limit: fc.integer({ min: 1, max: 12 }),
  });
  const tail = fc.record({ do: fc.constant('tail' as const), second, count: fc.nat(12) });
  const pass = fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 40_000 }) });
  const kinds: { arbitrary: fc.Arbitrary<Command>; weight: number }[] = [
    { arbitrary: append, weight: 8 },
    { arbitrary: read, weight: 3 },
    { arbitrary: tail, weight: 2 },
  ];
  if (timed) kinds.push({ arbitrary: pass, weight: 2 });
  return fc.array(fc.oneof(...kinds), { maxLength: 80, size: 'max' });
}

interface Stored {
  readonly position: Position;
  readonly previous: Position;
  readonly id: string;
  readonly data: string;
  readonly dedupe: boolean;
  readonly at: number;
}

/** Everything that was ever stored, and what of it a log must still have. */
class LogModel {
  now = 0;
  private readonly log: Log;
  private readonly channels: readonly [string, string];
  private readonly stored: readonly [Stored[], Stored[]] = [[], []];
  private readonly starts: [Position | undefined, Position | undefined] = [undefined, undefined];

  constructor(log: Log, first: string, second: string) {
    this.log = log;
    this.channels = [first, second];
  }

  async run(command: Exclude<Command, { do: 'pass' }>): Promise<void> {
    const which = command.second ? 1 : 0;
    this.starts[which] ??= await this.log.head(this.channels[which]);
    const start = this.starts[which];
    if (command.do === 'append') return this.append(which, start, command);
    const stored = this.stored[which];
    const head = stored.at(-1)?.position ?? start;
    expect(await this.log.head(this.channels[which])).toEqual(head);
    if (command.do === 'tail') {
      const { start: from, messages, end } = await this.log.tail(this.channels[which], command.count);
      this.check(which, from, messages, head);
      expect(end).toEqual(head);
      expect(messages.length).toBeLessThanOrEqual(command.count);
      expect(messages.length).toBeGreaterThanOrEqual(Math.min(command.count, this.mustKeep(which)));
      expect(messages.at(-1)?.position ?? from).toEqual(head);
      return;
    }
    const since = stored.at(-1 - command.back)?.position ?? start;
    const { start: from, messages, end } = await this.log.read(this.channels[which], since, command.limit);
    this.check(which, from, messages, head);
    expect(end).toEqual(messages.at(-1)?.position ?? head);
    expect(messages.length).toBeLessThanOrEqual(command.limit);
    if (messages.length < command.limit) expect(messages.at(-1)?.position ?? from).toEqual(head);
    expect(from.seq).toBeGreaterThanOrEqual(since.seq);
    // a gap is told only where the log had a right to drop
    if (from.seq > since.seq) expect(from.seq).toBeLessThanOrEqual(head.seq - this.mustKeep(which));
  }

  private async append(
    which: 0 | 1,
    start: Position,
    { id, data, dedupe, knows }: Extract<Command, { do: 'append' }>,
  ): Promise<void> {
    const stored = this.stored[which];
    const made = message(`m${id}`, String(data), { dedupe });
    const seen = stored.at(-1 - knows)?.position;
    const appended = await this.log.append(this.channels[which], made, seen);
    const known = stored.findLast((one) => one.dedupe && one.id === made.id);
    const kept = known !== undefined && stored.indexOf(known) >= stored.length - this.mustKeep(which);
    if (dedupe && kept) {
      expect(appended).toEqual(
        known.data === made.data ? { kind: 'duplicate', position: known.position } : { kind: 'conflict' },
      );
      return;
    }
    // what has been dropped may be remembered for longer
    if (dedupe && known && appended.kind !== 'appended') {
      if (appended.kind === 'duplicate') expect(appended.position).toEqual(known.position);
      return;
    }
    if (appended.kind !== 'appended') throw new Error(`taken for a ${appended.kind}`);
    const previous = stored.at(-1)?.position ?? start;
    const position = { epoch: previous.epoch, seq: previous.seq + 1 };
    expect(appended.message).toMatchObject({ ...made, position, previous });
    stored.push({ position, previous, id: made.id, data: made.data, dedupe, at: this.now });
  }

  /** How many of the last messages nobody had a right to drop. */
  private mustKeep(which: 0 | 1): number {
    const last = this.stored[which].slice(-BOUNDS.messages);
    return last.filter(({ at }) => this.now - at < BOUNDS.ageMs).length;
  }

  private check(
    which: 0 | 1,
    from: Position,
    messages: readonly { position: Position; previous: Position; id: string; data: string }[],
    head: Position,
  ): void {
    let at = from;
    for (const { position, previous, id, data } of messages) {
      expect(previous).toEqual(at);
      const stored = this.stored[which].find((one) => one.position.seq === position.seq);
      expect(stored).toMatchObject({ position, id, data });
      at = position;
    }
    expect(at.seq).toBeLessThanOrEqual(head.seq);
  }
}
