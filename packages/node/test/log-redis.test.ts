import {
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
  waitFor,
} from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { channelBase } from '../src/log/redis-message.ts';
import { logConformance, message, newChannel } from './log-conformance.ts';
import { openRedisLog, stored } from './support/redis-log.ts';

let redis: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startRedisCluster(3)]);
});
afterAll(() => Promise.all([redis[Symbol.asyncDispose](), cluster[Symbol.asyncDispose]()]));

for (const [name, urls] of [
  ['redis', () => redis.url],
  ['a redis cluster', () => cluster.urls],
] as const) {
  logConformance(name, async ({ messages, ageMs }) => {
    const open = () => openRedisLog(urls(), { bounds: { messages, ageMs, bytes: 100_000_000 } });
    return { log: await open(), again: open };
  });
}

const MANY = Number.MAX_SAFE_INTEGER;

describe('the redis log', () => {
  const bounds = { messages: 20, bytes: 100_000_000, ageMs: 60_000 };

  it('keeps hardly more messages of a channel than it is to, and ten times as many ids', async () => {
    const log = await openRedisLog(redis.url, { bounds });
    try {
      const channel = newChannel();
      const ids = [...Array(500).keys()].map((i) => `m${i}`);
      await Promise.all(ids.map((id) => log.append(channel, message(id))));
      const { messages } = await log.read(channel, undefined, MANY);
      expect(messages.length).toBeGreaterThanOrEqual(20);
      expect(messages.length).toBeLessThanOrEqual(22);
      expect(messages.map(({ id }) => id)).toEqual(ids.slice(-messages.length).map((id) => `"${id}"`));
      const base = channelBase('test', channel);
      for (const part of ['d', 'e']) {
        const count = Number(await redis.command('HLEN', `${base}:${part}`));
        expect(count).toBeGreaterThan(0);
        expect(count).toBeLessThanOrEqual(201);
      }
      for (const id of ids.slice(-200))
        expect(await log.append(channel, message(id))).toMatchObject({ kind: 'duplicate' });
      // long forgotten: a message like any other
      expect(await log.append(channel, message('m0'))).toMatchObject({ kind: 'appended' });
    } finally {
      await log.close();
    }
  });

  it('keeps no more bytes of a channel than it may, but always its last message', async () => {
    const log = await openRedisLog(redis.url, { bounds: { ...bounds, bytes: 5_000 } });
    try {
      const channel = newChannel();
      const data = `"${'x'.repeat(900)}"`;
      for (let i = 0; i < 30; i++) {
        await log.append(channel, message(`m${i}`, data));
        const { messages, end } = await log.read(channel, undefined, MANY);
        expect(messages).toHaveLength(Math.min(i + 1, 5));
        expect(end.seq).toBe(i + 1);
      }
      await log.append(channel, message('huge', `"${'x'.repeat(50_000)}"`));
      expect((await log.read(channel, undefined, MANY)).messages.map(({ id }) => id)).toEqual(['"huge"']);
      await log.append(channel, message('small', data));
      expect((await log.read(channel, undefined, MANY)).messages.map(({ id }) => id)).toEqual(['"small"']);
    } finally {
      await log.close();
    }
  });

  it('gives long messages a few at a time, whatever was asked for, and says that there are more', async () => {
    const log = await openRedisLog(redis.url, { bounds: { ...bounds, messages: 200 } });
    try {
      const channel = newChannel();
      const start = await log.head(channel);
      const data = `"${'x'.repeat(60_000)}"`;
      const ids = [...Array(120).keys()].map((i) => `m${i}`);
      await Promise.all(ids.map((id) => log.append(channel, message(id, data))));
      const got: string[] = [];
      let at = start;
      for (let more = true; more; ) {
        const read = await log.read(channel, at, MANY);
        expect(read.start).toEqual(at);
        expect(read.messages.length).toBeGreaterThan(0);
        expect(read.messages.length * 60_000).toBeLessThan(600_000);
        got.push(...read.messages.map(({ id }) => id));
        at = read.end;
        more = read.more;
      }
      expect(got).toEqual(ids.map((id) => `"${id}"`));
      const tail = await log.tail(channel, 40);
      expect([tail.start.seq, tail.messages.length < 12, tail.more]).toEqual([80, true, true]);
    } finally {
      await log.close();
    }
  });

  it('drops what is too old, by the clock of Redis, and keeps the place', async () => {
    const log = await openRedisLog(redis.url, { bounds: { ...bounds, messages: 1_000, ageMs: 300 } });
    try {
      const [busy, idle] = [newChannel(), newChannel()];
      const before = await log.head(busy);
      await Promise.all([...Array(600).keys()].map((i) => log.append(busy, message(`m${i}`))));
      const last = stored(await log.append(idle, message('only'))).position;
      let more = 0;
      await waitFor(
        async () => {
          await log.append(busy, message(`more${more++}`));
          const { messages } = await log.read(busy, before, MANY);
          return messages[0]?.id.startsWith('"more');
        },
        { message: 'nothing old in the busy channel' },
      );
      expect((await log.read(busy, before, MANY)).start).not.toEqual(before);
      const base = channelBase('test', idle);
      await waitFor(async () => (await redis.command('EXISTS', `${base}:s`, `${base}:d`)) === 0, {
        message: 'the end of the idle channel’s messages',
      });
      expect(await log.read(idle, last, MANY)).toEqual({ start: last, messages: [], end: last, more: false });
      const start = { ...last, seq: last.seq - 1 };
      expect(await log.read(idle, start, MANY)).toEqual({
        start: last,
        messages: [],
        end: last,
        more: false,
      });
      expect(stored(await log.append(idle, message('only'))).previous).toEqual(last);
      // the place itself is kept for days
      expect(Number(await redis.command('PTTL', `${base}:m`))).toBeGreaterThan(6 * 86_400_000);
    } finally {
      await log.close();
    }
  });

  it('keeps all keys of a channel in one slot, and lets every key of its own end by itself', async () => {
    const log = await openRedisLog(redis.url, { bounds: { ...bounds, messages: 2 } });
    try {
      for (const name of ['}', '{}', '{a}b', '%7D', 'é漢😀', '\ud83d', 'x'.repeat(250)]) {
        const channel = `group:${name}`;
        for (let i = 0; i < 30; i++) await log.append(channel, message(`m${i}`));
        const base = channelBase('test', channel);
        const slots = await Promise.all(
          ['m', 's', 'd', 'e', 'o'].map((part) =>
            cluster.servers[0]?.command('CLUSTER', 'KEYSLOT', `${base}:${part}`),
          ),
        );
        expect(new Set(slots).size).toBe(1);
        for (const part of ['m', 's', 'd', 'e'])
          expect(Number(await redis.command('PTTL', `${base}:${part}`))).toBeGreaterThan(0);
      }
    } finally {
      await log.close();
    }
  });

  it('goes round once for all appends of a turn of the event loop', async () => {
    let batches = 0;
    const hooks = { failed() {}, answered: () => batches++, unfit() {} };
    const log = await openRedisLog(redis.url, { hooks });
    try {
      const channels = [...Array(10).keys()].map(() => newChannel());
      const calls = async () =>
        Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1]);
      await log.append(channels[0] ?? '', message('first'));
      const before = await calls();
      await Promise.all(
        channels.flatMap((one) => [...Array(5).keys()].map((i) => log.append(one, message(`m${i}`)))),
      );
      expect(batches).toBe(2);
      expect((await calls()) - before).toBe(1);
    } finally {
      await log.close();
    }
  });

  it('heals when somebody has deleted a part of a channel, and tells a gap', async () => {
    const log = await openRedisLog(redis.url);
    try {
      for (const part of ['m', 's', 'd', 'm s', 'd s']) {
        const channel = newChannel();
        const base = channelBase('test', channel);
        for (let i = 0; i < 5; i++) await log.append(channel, message(`m${i}`));
        const since = { ...(await log.head(channel)), seq: 2 };
        await redis.command('DEL', ...part.split(' ').map((one) => `${base}:${one}`));
        const next = stored(await log.append(channel, message('next')));
        const { start, messages, end } = await log.read(channel, since, MANY);
        expect(end).toEqual(next.position);
        expect(messages.at(-1)?.id).toBe('"next"');
        if (part !== 'd') expect(start).not.toEqual(since);
      }
      // a stream that is ahead of its place, as one that was restored by hand
      const channel = newChannel();
      const base = channelBase('test', channel);
      const first = stored(await log.append(channel, message('m1'))).position;
      await redis.command('XADD', `${base}:s`, '9-1', 'c', '1', 'm', 'x');
      const next = stored(await log.append(channel, message('m2')));
      expect(next.position.epoch).not.toBe(first.epoch);
      expect((await log.read(channel, first, MANY)).end).toEqual(next.position);
    } finally {
      await log.close();
    }
  });

  it('does not break over a position that nobody can have', async () => {
    const log = await openRedisLog(redis.url);
    try {
      const channel = newChannel();
      const { position } = stored(await log.append(channel, message('m1')));
      const epochs = [
        'ffffffff.x',
        '00000000.',
        'zzzzzzzz.x',
        '.',
        '-',
        '_',
        'x'.repeat(64),
        '6.5',
        '%s%d%x',
      ];
      for (const epoch of epochs) {
        for (const seq of [0, 1, MANY]) {
          const read = await log.read(channel, { epoch, seq }, MANY);
          expect(read.start).toEqual({ ...position, seq: 0 });
          expect(await log.head(channel, { epoch, seq })).toEqual(position);
        }
      }
    } finally {
      await log.close();
    }
  });
});
