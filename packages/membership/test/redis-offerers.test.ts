import { type ConsulAgent, startDevConsul, startTcpProxy } from '@ringway/testkit';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  consulMembership,
  type Membership,
  type MembershipObserver,
  MemoryRegistry,
  memoryMembership,
  type Snapshot,
  serviceName,
  type Watching,
} from '../src/index.ts';
import { compareRings, type SharedRing, writeRing } from '../src/redis/shared-ring.ts';
import { eventually } from './support/eventually.ts';
import { clusterSigner, member } from './support/members.ts';
import { LocalNode } from './support/nodes.ts';
import { connect, Offerer, Reader, type RedisServer, standing, startRedis } from './support/redis.ts';

const PATIENCE = 40_000;
const SERVICE = serviceName('ringway');

let redis: RedisServer;

beforeEach(async () => {
  redis = await startRedis();
});

afterEach(() => redis[Symbol.asyncDispose]());

/** A registry whose every word is the test's: what it shows, and what it says when it is read again. */
class Puppet implements Watching {
  #observer: MembershipObserver | undefined;
  reread: () => Promise<Snapshot> = () => Promise.reject(new Error('not to be read'));
  rereads = 0;

  watch(observer: MembershipObserver) {
    this.#observer = observer;
    return {
      ready: Promise.resolve(),
      sinceConfirmed: () => 0,
      reread: () => {
        this.rereads += 1;
        return this.reread();
      },
      saidLeaving() {},
      close: () => Promise.resolve(),
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  show(snapshot: Snapshot): void {
    this.#observer?.snapshot(snapshot);
  }

  lose(): void {
    this.#observer?.stale?.('unreachable', undefined);
  }

  find(): void {
    this.#observer?.fresh?.();
  }
}

function view(index: number, ...ids: string[]): Snapshot {
  return { index: `${index}`, members: ids.map((id) => ({ ...member(id), state: 'up' })) };
}

/** Offerer over a puppet; by default what it shows is what it says when read again. */
function puppet(): { puppet: Puppet; offerer: Offerer; show(snapshot: Snapshot): void } {
  const made = new Puppet();
  const offerer = new Offerer(made, { url: redis.url });
  return {
    puppet: made,
    offerer,
    show(snapshot) {
      made.reread = () => Promise.resolve(snapshot);
      made.show(snapshot);
    },
  };
}

describe('offers', () => {
  test('a stale one is refused, though it comes later', async () => {
    await using own = connect(redis);
    const [one, other] = [puppet(), puppet()];
    await using _one = one.offerer;
    await using _other = other.offerer;
    one.show(view(200, 'a', 'b'));
    await eventually('the newer stands', async () => (await standing(own))?.index === 200n);
    // Its own registry, read again, has not moved on: it lags, or its index fell. Read again it says what is true.
    other.puppet.reread = () => Promise.resolve(view(200, 'a', 'b'));
    other.puppet.show(view(150, 'a', 'b', 'c'));
    await eventually('it has looked', () => other.offerer.results.length > 0);
    expect(new Set(other.offerer.results)).toEqual(new Set(['same']));
    expect(other.puppet.rereads).toBe(1);
    expect((await standing(own))?.members.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  test('who cannot read its registry again offers nothing that looks older', async () => {
    await using own = connect(redis);
    const [one, other] = [puppet(), puppet()];
    await using _one = one.offerer;
    await using _other = other.offerer;
    one.show(view(200, 'a', 'b'));
    await eventually('the newer stands', async () => (await standing(own))?.index === 200n);
    other.puppet.show(view(150, 'a'));
    await eventually('it has failed', () => other.offerer.results.includes('failed'));
    expect((await standing(own))?.index).toBe(200n);
  });

  test('who has lost its registry does not overwrite, and does again when it is back', async () => {
    await using own = connect(redis);
    const [one, other] = [puppet(), puppet()];
    await using _one = one.offerer;
    await using _other = other.offerer;
    one.show(view(100, 'a', 'b'));
    await eventually('it stands', async () => (await standing(own))?.index === 100n);
    one.puppet.lose();
    other.show(view(110, 'a', 'b', 'c'));
    await eventually('the other stands', async () => (await standing(own))?.index === 110n);
    one.show(view(120, 'a'));
    await redis.restart();
    await eventually('only the other offered', async () => (await standing(own))?.members.length === 3);
    expect(one.offerer.results).not.toContain('failed');
    one.puppet.find();
    await eventually('now it does', async () => (await standing(own))?.index === 120n);
  });

  test('at equal index the one with fewer members stands, whoever comes first', async () => {
    await using own = connect(redis);
    const [one, other] = [puppet(), puppet()];
    await using _one = one.offerer;
    await using _other = other.offerer;
    one.show(view(100, 'a', 'b', 'c'));
    await eventually('it stands', async () => (await standing(own))?.members.length === 3);
    other.show(view(100, 'a', 'b'));
    await eventually('fewer stand', async () => (await standing(own))?.members.length === 2);
    await eventually('the first leaves it', () => one.offerer.results.includes('refused'));
    expect((await standing(own))?.members.length).toBe(2);
  });

  test('a ring without members never replaces one with some', async () => {
    await using own = connect(redis);
    const [one, other] = [puppet(), puppet()];
    await using _one = one.offerer;
    await using _other = other.offerer;
    one.show(view(100, 'a'));
    await eventually('it stands', async () => (await standing(own))?.members.length === 1);
    other.show(view(300));
    await eventually('it is refused', () => other.offerer.results.includes('refused'));
    expect((await standing(own))?.members.length).toBe(1);
  });

  test('the generation rises when the index fell, and readers follow', async () => {
    await using own = connect(redis);
    await using reader = new Reader({ url: redis.url, timings: { startedOverHoldMs: 0 } });
    const one = puppet();
    await using _one = one.offerer;
    one.show(view(9_000, 'a', 'b'));
    await reader.watch.ready;
    const before = await standing(own);
    one.show(view(12, 'a', 'b', 'c'));
    await eventually('c is seen', () => reader.last === 'a:up b:up c:up');
    const after = await standing(own);
    expect(after?.index).toBe(12n);
    expect(after?.generation).toBeGreaterThan(before?.generation ?? 0n);
    expect(reader.snapshots.at(-1)?.index).toBe('12');
    one.show(view(13, 'a', 'c'));
    await eventually('b is gone', () => reader.last === 'a:up c:up');
    expect((await standing(own))?.generation).toBe(after?.generation);
  });

  test('what was known before the index fell is not offered after it, though its index is higher', async () => {
    await using own = connect(redis);
    const [one, other] = [puppet(), puppet()];
    await using _one = one.offerer;
    await using _other = other.offerer;
    one.show(view(9_000, 'a', 'b'));
    await eventually('it stands', async () => (await standing(own))?.index === 9_000n);
    one.show(view(12, 'a', 'c'));
    await eventually('the index fell', async () => (await standing(own))?.index === 12n);
    const after = await standing(own);
    // It hears only now of what was before; its registry knows better.
    other.puppet.reread = () => Promise.resolve(view(12, 'a', 'c'));
    other.puppet.show(view(9_500, 'a', 'b', 'd'));
    await eventually('it has looked', () => other.offerer.results.length > 0);
    expect(new Set(other.offerer.results)).toEqual(new Set(['same']));
    expect(await standing(own)).toEqual(after);
  });

  test('who is missing after the registry started over is kept by readers for a while', async () => {
    await using reader = new Reader({ url: redis.url, timings: { startedOverHoldMs: 1_500 } });
    const one = puppet();
    await using _one = one.offerer;
    one.show(view(9_000, 'a', 'b', 'c'));
    await reader.watch.ready;
    one.show(view(12, 'a'));
    await eventually('the new index is taken', async () => (await reader.watch.reread()).index === '12');
    expect(reader.last).toBe('a:up b:up c:up');
    one.show(view(13, 'a', 'b'));
    await eventually('c alone is given up, in the end', () => reader.last === 'a:up b:up', PATIENCE);
    expect(reader.all).toEqual(['a:up b:up c:up', 'a:up b:up']);
  });

  test('a Redis that was emptied is filled above what readers have seen, by a clock or by memory', async () => {
    await using own = connect(redis);
    await using reader = new Reader({ url: redis.url });
    const far = {
      generation: 9_000_000_000_000n,
      index: 5n,
      members: view(5, 'a').members,
    } satisfies SharedRing;
    const { text, sig } = writeRing(SERVICE, far, clusterSigner());
    await own.hset('ringway:ring', { sig, ring: text });
    await reader.watch.ready;
    const one = puppet();
    await using _one = one.offerer;
    one.show(view(5, 'a'));
    await eventually('it has seen it', () => one.offerer.results.includes('same'));
    await redis.restart();
    one.show(view(6, 'a', 'b'));
    await eventually('b is seen', () => reader.last === 'a:up b:up', PATIENCE);
    expect((await standing(own))?.generation).toBeGreaterThan(far.generation);
  });

  test('many that race and change their mind come to one ring, and readers never go back', async () => {
    await using own = connect(redis);
    await using reader = new Reader({ url: redis.url });
    const many = Array.from({ length: 6 }, puppet);
    for (let index = 1; index <= 40; index += 1) {
      const now = view(index, ...Array.from({ length: 1 + (index % 5) }, (_, i) => `m${i}`));
      // Each hears of it in its own time; read again, all know the latest.
      for (const one of many) one.puppet.reread = () => Promise.resolve(now);
      many.forEach((one, i) => {
        if ((index + i) % 3 === 0 || index === 40) one.puppet.show(now);
      });
      await eventually(
        'somebody has offered it',
        async () => Number((await standing(own))?.index ?? 0) >= index - 3,
      );
    }
    await eventually('the last stands', async () => (await standing(own))?.index === 40n);
    await eventually('the reader has it', async () => (await reader.watch.reread()).index === '40');
    const indexes = reader.snapshots.map(({ index }) => Number(index));
    expect(indexes).toEqual([...indexes].sort((a, b) => a - b));
    await Promise.all(many.map(({ offerer }) => offerer[Symbol.asyncDispose]()));
  });
});

test('of two rings one is newer, and the order is total up to equal size', () => {
  const rings = fc.record({
    generation: fc.bigInt(0n, 3n),
    index: fc.bigInt(0n, 3n),
    members: fc.integer({ min: 0, max: 3 }).map((size) => view(1, ...['a', 'b', 'c'].slice(0, size)).members),
  });
  fc.assert(
    fc.property(rings, rings, rings, (a, b, c) => {
      expect(Math.sign(compareRings(a, b))).toBe(-Math.sign(compareRings(b, a)) + 0);
      if (compareRings(a, b) >= 0 && compareRings(b, c) >= 0)
        expect(compareRings(a, c)).toBeGreaterThanOrEqual(0);
    }),
  );
});

describe('over a real Consul', () => {
  let agent: ConsulAgent;

  beforeEach(async () => {
    agent = await startDevConsul();
  });

  afterEach(() => agent[Symbol.asyncDispose]());

  function overConsul(address = agent.address): { offerer: Offerer; membership: Membership } {
    const membership = consulMembership({ address, signer: clusterSigner() });
    return { membership, offerer: new Offerer(membership, { url: redis.url }) };
  }

  test('two locators offer the same ring, arrivals and departures are seen', {
    timeout: 60_000,
  }, async () => {
    await using reader = new Reader({ url: redis.url });
    await using _one = overConsul().offerer;
    await using _other = overConsul().offerer;
    await using _a = await LocalNode.start(agent.address, 'a');
    await using b = await LocalNode.start(agent.address, 'b');
    await eventually('both are seen', () => reader.last === 'a:up b:up');
    await b.registration.leave();
    await eventually('b is leaving', () => reader.last === 'a:up b:leaving');
    await b.registration.deregister();
    await eventually('b is gone', () => reader.last === 'a:up');
    expect(reader.all.filter((text, i) => text === reader.all[i - 1])).toEqual([]);
  });

  test('Consul restarts empty: the generation rises, nobody is missed, the next is seen', {
    timeout: 90_000,
  }, async () => {
    await using own = connect(redis);
    await using reader = new Reader({ url: redis.url });
    await using _one = overConsul().offerer;
    await using _other = overConsul().offerer;
    {
      // Many changes, so that the index is far above what it will be.
      await using z = await LocalNode.start(agent.address, 'z');
      for (let i = 0; i < 20; i += 1) {
        await z.registration.leave();
        await z.registration.rejoin();
      }
      await z.registration.deregister();
    }
    await using _a = await LocalNode.start(agent.address, 'a');
    await using _b = await LocalNode.start(agent.address, 'b');
    await eventually('both are seen', () => reader.last === 'a:up b:up');
    const before = await standing(own);
    const shown = reader.all.length;
    await agent.kill();
    await agent.start();
    await agent.led();
    // A locator that was not there before offers what little it sees.
    await using _fresh = overConsul().offerer;
    await using _c = await LocalNode.start(agent.address, 'c');
    await eventually('c is seen', () => reader.last === 'a:up b:up c:up', PATIENCE);
    const after = await standing(own);
    expect(after?.generation).toBeGreaterThan(before?.generation ?? 0n);
    expect(after?.index).toBeLessThan(before?.index ?? 0n);
    for (const text of reader.all.slice(shown)) expect(text).toMatch(/^a:up b:up/);
  });

  test('a locator that is cut off from Consul offers nothing more', { timeout: 60_000 }, async () => {
    await using own = connect(redis);
    await using proxy = await startTcpProxy({ port: Number(new URL(agent.address).port) });
    await using reader = new Reader({ url: redis.url });
    await using cut = overConsul(`http://127.0.0.1:${proxy.port}`).offerer;
    await using a = await LocalNode.start(agent.address, 'a');
    await using _b = await LocalNode.start(agent.address, 'b');
    await eventually('both are seen', () => reader.last === 'a:up b:up');
    proxy.cut();
    await using _other = overConsul().offerer;
    await a.registration.leave();
    await eventually('a is leaving', () => reader.last === 'a:leaving b:up');
    await own.flushall();
    await eventually(
      'the other has filled it',
      async () => (await standing(own))?.members[0]?.state === 'leaving',
      PATIENCE,
    );
    expect(reader.last).toBe('a:leaving b:up');
    proxy.heal();
    await eventually('the first says the same', () => cut.results.at(-1) === 'same', PATIENCE);
    expect(reader.all.slice(reader.all.indexOf('a:leaving b:up'))).toEqual(['a:leaving b:up']);
  });
});

test('what happens to Redis does not disturb who watches', async () => {
  const registry = new MemoryRegistry();
  await redis.kill();
  await memoryMembership(registry).register(member('a'));
  await using offerer = new Offerer(memoryMembership(registry), { url: redis.url });
  await eventually('it failed', () => offerer.results.includes('failed'));
  await redis.start();
  await eventually('it was made up for', () => offerer.results.includes('accepted'), PATIENCE);
});
