import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Member, MemoryRegistry, memoryMembership, serviceName } from '../src/index.ts';
import { readRing, type SharedRing, writeRing } from '../src/redis/shared-ring.ts';
import { memberMeta } from '../src/signed-member.ts';
import { eventually } from './support/eventually.ts';
import { clusterSigner, member } from './support/members.ts';
import { connect, Offerer, Reader, type RedisServer, standing, startRedis } from './support/redis.ts';

const KEY = 'ringway:ring';
const SERVICE = serviceName('ringway');
const signer = clusterSigner();
const stranger = clusterSigner('another key altogether, of 32 bytes');

let redis: RedisServer;
let registry: MemoryRegistry;

beforeEach(async () => {
  redis = await startRedis();
  registry = new MemoryRegistry();
  for (const id of ['a', 'b']) await memoryMembership(registry).register(member(id));
});

afterEach(() => redis[Symbol.asyncDispose]());

function ring(...ids: string[]): SharedRing {
  const members = ids.map((id) => ({ ...member(id), state: 'up' as const }));
  return { generation: 1n, index: 100n, members };
}

interface Body {
  generation: string;
  index: string;
  members: Record<string, string>[];
}

/** A ring as written, changed by somebody who has no key. */
function forged(change: (body: Body) => void): { text: string; sig: string } {
  const { text, sig } = writeRing(SERVICE, ring('a', 'b'), signer);
  const body = JSON.parse(text) as Body;
  change(body);
  return { text: JSON.stringify(body), sig };
}

const evil: Member = member('evil', { publicUrl: 'wss://evil.example.com' });
const FORGERIES: readonly (readonly [string, { text: string; sig: string }])[] = [
  [
    'a member added',
    forged(({ members }) => members.push({ ...memberMeta(SERVICE, evil, stranger), state: 'up' })),
  ],
  [
    'a member with another address',
    forged(({ members }) => Object.assign(members[0] ?? {}, { publicUrl: 'wss://x' })),
  ],
  ['a member left out', forged(({ members }) => members.pop())],
  [
    'a member said to be leaving',
    forged(({ members }) => Object.assign(members[0] ?? {}, { state: 'leaving' })),
  ],
  ['a generation set ahead', forged((body) => Object.assign(body, { generation: '99999999999999999999' }))],
  ['an index set ahead', forged((body) => Object.assign(body, { index: '99999999999999999999' }))],
  ['a ring of another key', writeRing(SERVICE, ring('evil'), stranger)],
  ['a ring of another cluster', writeRing('other-node', ring('evil'), signer)],
  ['no signature to speak of', { text: '{}', sig: 'x' }],
];

describe('what anyone can write into Redis', () => {
  test.each(FORGERIES)('%s: kept out, counted once, and put right', async (_, forgery) => {
    await using own = connect(redis);
    const offerer = new Offerer(memoryMembership(registry), { url: redis.url });
    await eventually('it stands', () => offerer.results.includes('accepted'));
    await using reader = new Reader({ url: redis.url });
    await reader.watch.ready;
    await offerer[Symbol.asyncDispose]();
    const before = await own.hgetall(KEY);
    await own.hset(KEY, { sig: forgery.sig, ring: forgery.text });
    await own.publish(KEY, forgery.sig);
    await eventually('it is refused', () => reader.rejected.length > 0);
    await expect(reader.watch.reread()).rejects.toMatchObject({ code: 'registry_error' });
    await expect(reader.watch.reread()).rejects.toMatchObject({ code: 'registry_error' });
    expect(reader.rejected).toEqual(['bad_signature']);
    expect(reader.stale).toEqual(['unproven']);
    expect(reader.all).toEqual(['a:up b:up']);
    // Whoever starts now is not taken in either.
    await using late = new Reader({ url: redis.url });
    await eventually('it is refused there too', () => late.rejected.join() === 'bad_signature');
    await using again = new Offerer(memoryMembership(registry), { url: redis.url });
    await late.watch.ready;
    expect(late.all).toEqual(['a:up b:up']);
    expect(again.rejected).toEqual(['bad_signature']);
    await eventually('it is confirmed', () => reader.fresh === 1);
    expect(reader.all).toEqual(['a:up b:up']);
    const after = await own.hgetall(KEY);
    expect(JSON.parse(after['ring'] ?? '')).toMatchObject({ index: JSON.parse(before['ring'] ?? '').index });
  });

  test('a key that holds something else altogether changes nothing', async () => {
    await using own = connect(redis);
    await own.set(KEY, 'something else');
    await using offerer = new Offerer(memoryMembership(registry), { url: redis.url });
    await using reader = new Reader({ url: redis.url });
    await eventually('both fail', () => offerer.results.includes('failed') && reader.stale.length > 0);
    await own.del(KEY);
    await reader.watch.ready;
    expect(reader.all).toEqual(['a:up b:up']);
  });

  test('two that do not know each other’s keys do not take turns without end', async () => {
    await using own = connect(redis);
    const timings = { forceGapMs: 3_600_000 };
    await using one = new Offerer(memoryMembership(registry), { url: redis.url, timings });
    await eventually('the first has offered', () => one.results.includes('accepted'));
    await using other = new Offerer(memoryMembership(registry), {
      url: redis.url,
      timings,
      signer: stranger,
    });
    await eventually('the other has replaced it', () => other.results.includes('accepted'));
    await eventually(
      'the first has put it right',
      () => one.results.filter((r) => r === 'accepted').length === 2,
    );
    await eventually('the other leaves it', () => other.results.includes('refused'));
    const stands = await own.hget(KEY, 'sig');
    await memoryMembership(registry).register(member('c'));
    await eventually('both have looked', () =>
      [one, other].every(({ results }) => results.at(-1) === 'refused' || results.length > 2),
    );
    expect(stands).not.toBeNull();
    expect((await standing(own))?.members.length).toBeGreaterThanOrEqual(2);
  });
});

describe('a ring in writing', () => {
  test('is read as it was written', () => {
    const written = ring('a', 'b');
    expect(readRing(SERVICE, writeRing(SERVICE, written, signer), signer)).toEqual(written);
  });

  test.each([
    ['not JSON', '<html>'],
    ['another format', '{"format":2}'],
    ['no numbers', '{"format":1,"members":[]}'],
    ['numbers that are none', '{"format":1,"generation":"-1","index":"1e3","members":[]}'],
    ['no members', '{"format":1,"generation":"1","index":"1"}'],
    ['a member that is none', '{"format":1,"generation":"1","index":"1","members":[{"sig":"x"}]}'],
  ])('that holds %s is refused, though it is signed', (_, text) => {
    const sig = signer.sign(`ringway-ring.v1\n${SERVICE}\n${text}`);
    expect(readRing(SERVICE, { text, sig }, signer)).toMatchObject({ reason: 'malformed' });
  });
});
