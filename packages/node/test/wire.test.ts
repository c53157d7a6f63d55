import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AnswerRecord,
  batchHeader,
  type Control,
  type DeliverRecord,
  decodeBatch,
  encodeAnswer,
  encodeControl,
  encodeDeliver,
  encodeList,
  encodePublish,
  KIND,
  PeerFormatError,
  type PeerRecord,
  type PublishRecord,
} from '../src/peers/wire.ts';
import { jsonToWire, quote } from '../src/text.ts';

const CHECKSUM = '0123456789abcdef';

function batch(...records: string[]): Buffer {
  return Buffer.from(batchHeader(CHECKSUM) + records.join(''), 'latin1');
}

function decoded(...records: string[]): readonly PeerRecord[] {
  const { checksum, records: read } = decodeBatch(batch(...records));
  expect(checksum).toBe(CHECKSUM);
  return read;
}

// well-formed strings of any script; wire text is their JSON in UTF-8, one byte to a character
const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
const channel = anyText.map((name) => `group:${name}`);
const quoted = anyText.map(quote);
const data = fc.oneof(
  fc.jsonValue().map(jsonToWire),
  fc.integer({ min: 1, max: 200_000 }).map((length) => `"${'x'.repeat(length)}"`),
);
const position = fc.record({
  epoch: fc.stringMatching(/^[\w.-]{1,40}$/),
  seq: fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 48 - 1 })),
});
const u32 = fc.oneof(fc.constantFrom(0, 1, 255, 256, 0xffff_ffff), fc.nat());

const publish: fc.Arbitrary<Omit<PublishRecord, 'kind'>> = fc.record({
  correlation: u32,
  ephemeral: fc.boolean(),
  dedupe: fc.boolean(),
  forwarded: fc.boolean(),
  again: fc.boolean(),
  channel,
  from: quoted,
  id: quoted,
  data,
});
const deliver: fc.Arbitrary<Omit<DeliverRecord, 'kind'>> = fc
  .record({
    correlation: u32,
    channel,
    from: quoted,
    id: quoted,
    data,
    placed: fc.option(fc.tuple(position, position), { nil: undefined }),
  })
  .map(({ placed, ...rest }) => ({ ...rest, position: placed?.[0], previous: placed?.[1] }));
const answer: fc.Arbitrary<Omit<AnswerRecord, 'kind'>> = fc.record({
  correlation: u32,
  code: fc.constantFrom(undefined, 'unavailable', 'unknown', 'id_conflict', 'internal', 'not_home'),
  duplicate: fc.boolean(),
  reached: u32,
  position: fc.option(position, { nil: undefined }),
});
const correlation = fc.nat();
const control: fc.Arbitrary<Control> = fc.oneof(
  fc.record({
    t: fc.constant('hello' as const),
    nodeId: anyText,
    incarnation: anyText,
    proof: anyText,
  }),
  fc.record({ t: fc.constant('heartbeat' as const), unheard: fc.array(anyText), echo: fc.boolean() }),
  fc.record(
    { t: fc.constant('interest' as const), correlation, channel, sessions: fc.nat(), position },
    { requiredKeys: ['t', 'correlation', 'channel', 'sessions'] },
  ),
  fc.record(
    { t: fc.constant('interested' as const), correlation, start: position, goesOn: fc.boolean() },
    { requiredKeys: ['t', 'correlation'] },
  ),
  fc.record({ t: fc.constant('sessions' as const), channel, sessions: fc.nat() }),
  fc.record({
    t: fc.constantFrom('sync' as const, 'synced' as const, 'release' as const, 'released' as const),
    correlation,
  }),
  fc.record({
    t: fc.constant('standby' as const),
    items: fc.array(fc.record({ channel, sessions: fc.nat() })),
  }),
  fc.record({
    t: fc.constant('check' as const),
    items: fc.array(fc.record({ channel, sessions: fc.nat(), at: position })),
  }),
  fc.record({
    t: fc.constant('checked' as const),
    lost: fc.array(channel),
    behind: fc.array(fc.record({ channel, head: position })),
  }),
  fc.record(
    {
      t: fc.constant('read' as const),
      correlation,
      channel,
      since: position,
      last: fc.nat(),
      limit: fc.nat(),
      past: fc.boolean(),
      closedBy: channel,
    },
    { requiredKeys: ['t', 'correlation', 'channel', 'limit'] },
  ),
  fc.record(
    {
      t: fc.constant('readEnd' as const),
      correlation,
      start: position,
      end: position,
      follows: channel,
      next: channel,
      forMs: fc.nat(),
      code: fc.constant('unavailable' as const),
    },
    { requiredKeys: ['t', 'correlation'] },
  ),
  fc.record({
    t: fc.constant('listed' as const),
    correlation,
    outcomes: fc.array(
      fc.oneof(
        fc.record({ code: fc.constant('unavailable' as const) }),
        fc.record(
          { reached: fc.nat(), duplicate: fc.constant(true), position },
          { requiredKeys: ['reached'] },
        ),
      ),
    ),
  }),
  fc.record({
    t: fc.constant('kick' as const),
    channel,
    banSeconds: fc.nat(),
    forwarded: fc.boolean(),
  }),
);

function encodePublished(record: Omit<PublishRecord, 'kind'>): string {
  const { channel: name, dedupe, correlation: number, forwarded, again } = record;
  return encodePublish(name, record, dedupe, number, forwarded, again);
}

describe('records between nodes', () => {
  it('come back as they were sent, whatever stands in them', () => {
    fc.assert(
      fc.property(publish, (record) => {
        expect(decoded(encodePublished(record))).toEqual([{ kind: KIND.publish, ...record }]);
      }),
    );
    fc.assert(
      fc.property(deliver, (record) => {
        expect(decoded(encodeDeliver(record))).toEqual([{ kind: KIND.deliver, ...record }]);
      }),
    );
    fc.assert(
      fc.property(answer, (record) => {
        expect(decoded(encodeAnswer(record))).toEqual([{ kind: KIND.answer, ...record }]);
      }),
    );
    fc.assert(
      fc.property(fc.array(channel, { minLength: 1 }), publish, (channels, message) => {
        const { correlation: answerTo, dedupe, ephemeral, from, id, data: payload } = message;
        expect(decoded(encodeList(channels, message, dedupe, answerTo))).toEqual([
          { kind: KIND.list, correlation: answerTo, ephemeral, dedupe, channels, from, id, data: payload },
        ]);
      }),
    );
    fc.assert(
      fc.property(control, (record) => {
        expect(decoded(encodeControl(record))).toEqual([{ kind: KIND.control, control: record }]);
      }),
    );
  });

  it('come in the order in which they stand in a batch', () => {
    const mixed = fc.oneof(
      publish.map((record) => ({ text: encodePublished(record), kind: KIND.publish as number })),
      deliver.map((record) => ({ text: encodeDeliver(record), kind: KIND.deliver as number })),
      answer.map((record) => ({ text: encodeAnswer(record), kind: KIND.answer as number })),
      control.map((record) => ({ text: encodeControl(record), kind: KIND.control as number })),
    );
    fc.assert(
      fc.property(fc.array(mixed, { maxLength: 20 }), (records) => {
        const kinds = decoded(...records.map(({ text }) => text)).map(({ kind }) => kind as number);
        expect(kinds).toEqual(records.map(({ kind }) => kind));
      }),
    );
  });

  it('of a kind or a control that is not known yet are passed over', () => {
    const known = encodeControl({ t: 'sessions', channel: 'all', sessions: 1 });
    const later = String.fromCharCode(0, 0, 0, 3, 99, 1, 2);
    const laterControl = ((body) => String.fromCharCode(0, 0, 0, 1 + body.length, KIND.control) + body)(
      '{"t":"laterOne","x":1}',
    );
    expect(decoded(later, known, laterControl)).toHaveLength(1);
  });

  it('with a code that is not known yet tell of an inner error', () => {
    const text = encodeAnswer({
      correlation: 7,
      code: 'unavailable',
      duplicate: false,
      reached: 0,
      position: undefined,
    });
    const bytes = batch(text);
    bytes[2 + CHECKSUM.length + 4 + 2] = 200;
    expect(decodeBatch(bytes).records).toMatchObject([{ code: 'internal', correlation: 7 }]);
  });

  it('are refused by name where they are cut off, wherever that is', () => {
    const records = [
      encodePublish(
        'group:ä',
        { from: '"user:a"', id: '"1"', data: '{"x":1}', ephemeral: false },
        true,
        1,
        false,
      ),
      encodeDeliver({
        correlation: 0,
        channel: 'group:ä',
        from: '"user:a"',
        id: '"1"',
        data: '1',
        position: { epoch: 'e', seq: 2 },
        previous: { epoch: 'e', seq: 1 },
      }),
      encodeList(['user:a', 'user:b'], { from: '""', id: '""', data: '1', ephemeral: true }, true, 3),
      encodeControl({ t: 'heartbeat', unheard: ['node-1'], echo: true }),
      encodeAnswer({
        correlation: 1,
        code: undefined,
        duplicate: true,
        reached: 3,
        position: { epoch: 'e', seq: 1 },
      }),
    ];
    for (const record of records) {
      const whole = batch(record);
      for (let end = 0; end < whole.length; end++) {
        const cut = whole.subarray(0, end);
        if (end === 2 + CHECKSUM.length) expect(decodeBatch(cut).records).toEqual([]);
        else expect(() => decodeBatch(cut), `cut at ${end}`).toThrow(PeerFormatError);
      }
      // cut within, with a length that says so
      const inner = whole.subarray(2 + CHECKSUM.length + 4);
      for (let length = 1; length < inner.length; length++) {
        const head = Buffer.alloc(4);
        head.writeUInt32BE(length);
        const shorter = Buffer.concat([batch(), head, inner.subarray(0, length)]);
        try {
          decodeBatch(shorter);
        } catch (error) {
          expect(error).toBeInstanceOf(PeerFormatError);
        }
      }
    }
  });

  it('that are garbled throw nothing but PeerFormatError, and what is let through has the described form', () => {
    const sample = fc.oneof(
      publish.map(encodePublished),
      deliver.map(encodeDeliver),
      answer.map(encodeAnswer),
      control.map(encodeControl),
      fc.tuple(fc.array(channel), publish).map(([names, made]) => encodeList(names, made, true, 1)),
    );
    const garbled = fc
      .tuple(sample, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }))
      .map(([text, changes]) => {
        const bytes = batch(text);
        for (const [at, value] of changes) bytes[at % Math.min(bytes.length, 200)] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(garbled, fc.uint8Array({ maxLength: 200 }).map(Buffer.from)), (bytes) => {
        try {
          for (const record of decodeBatch(bytes).records) described(record);
        } catch (error) {
          if (!(error instanceof PeerFormatError)) throw error;
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('of JSON that is not as described are refused', () => {
    const body = (json: string) => String.fromCharCode(0, 0, 0, 1 + json.length, KIND.control) + json;
    for (const json of [
      'null',
      '3',
      '[]',
      '{',
      '{"t":3}',
      '{"t":"heartbeat","unheard":3,"echo":true}',
      '{"t":"heartbeat","unheard":[1],"echo":true}',
      '{"t":"interest","correlation":1,"channel":"","sessions":1}',
      '{"t":"interest","correlation":1,"sessions":1}',
      '{"t":"interest","correlation":1,"channel":"all","sessions":-1}',
      '{"t":"interest","correlation":1,"channel":"all","sessions":1,"position":{"epoch":"e"}}',
      '{"t":"read","correlation":1,"channel":"all","limit":"many"}',
      '{"t":"listed","correlation":1,"outcomes":[null]}',
      '{"t":"listed","correlation":1,"outcomes":[{"code":"no such code"}]}',
      '{"t":"kick","channel":"user:a","banSeconds":null,"forwarded":true}',
    ]) {
      expect(() => decodeBatch(batch(body(json))), json).toThrow(PeerFormatError);
    }
    const list = (names: string) =>
      String.fromCharCode(0, 0, 0, 2 + 12 + names.length + 1, KIND.list, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0) +
      `${String.fromCharCode(names.length)}${names}1`;
    for (const names of ['null', '{}', '[1]', '[""]']) {
      expect(() => decodeBatch(batch(list(names))), names).toThrow(PeerFormatError);
    }
    expect(decodeBatch(batch(list('["all"]'))).records).toMatchObject([{ channels: ['all'], data: '1' }]);
  });

  it('do not keep the bytes of their batch', () => {
    const text = encodePublish(
      'group:a',
      { from: '"user:a"', id: '"1"', data: '"kept"', ephemeral: false },
      true,
      1,
      false,
    );
    const bytes = batch(text);
    const [record] = decodeBatch(bytes).records;
    bytes.fill(0);
    expect(record).toMatchObject({ channel: 'group:a', from: '"user:a"', id: '"1"', data: '"kept"' });

    const collect = collector();
    const filler = `"${'x'.repeat(100_000)}"`;
    const big = () => {
      const records = Array.from({ length: 100 }, (_, i) => {
        const payload = i === 50 ? '"kept"' : filler;
        return encodePublish(
          'all',
          { from: '""', id: '""', data: payload, ephemeral: false },
          true,
          1,
          false,
        );
      });
      return decodeBatch(batch(...records)).records[50] as PublishRecord;
    };
    collect();
    const before = process.memoryUsage().heapUsed;
    const kept = Array.from({ length: 4 }, big);
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
    expect(kept.map((one) => one.data)).toEqual(Array(4).fill('"kept"'));
  });
});

/** Collects garbage, without a flag on the command line. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function described(record: PeerRecord): void {
  if (record.kind === KIND.control) {
    expect(typeof record.control.t).toBe('string');
    return;
  }
  if (record.kind === KIND.list) {
    for (const name of record.channels) expect(name).not.toBe('');
  } else if (record.kind !== KIND.answer) expect(record.channel).not.toBe('');
  expect(Number.isSafeInteger(record.correlation)).toBe(true);
}
