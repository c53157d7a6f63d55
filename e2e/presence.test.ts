import type { PresenceState } from '@ringway/client/presence';
import { watchPresence } from '@ringway/client/presence';
import { locatorSource, type PresenceChange, RingwayPush } from '@ringway/push';
import { waitFor } from '@ringway/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Person } from './support/person.ts';
import { useStage } from './support/stage.ts';

// longer than clients take to come back from a crash, on a busy machine too
const DEBOUNCE_MS = 6_000;

const stage = useStage({ nodeEnv: { RINGWAY_PRESENCE_DEBOUNCE: `${DEBOUNCE_MS}ms` } });

function backend(): RingwayPush {
  const { cluster, ca } = stage();
  const push = new RingwayPush({
    source: locatorSource({ urls: cluster.locators.map(({ internalUrl }) => internalUrl) }),
    name: 'billing',
    cluster: cluster.name,
    clusterKeys: cluster.keys.cluster,
    tls: { ca: ca.ca },
  });
  onTestFinished(() => push.close());
  return push;
}

/** What was told, by user: `+` for one who came, `-` for one who went. */
class Told {
  readonly changes = new Map<string, string>();
  readonly initial: string[] = [];

  take({ userId, online }: PresenceState): void {
    this.changes.set(userId, (this.changes.get(userId) ?? '') + (online ? '+' : '-'));
  }

  change(change: PresenceChange): void {
    if (change.initial) this.initial.push(change.userId);
    this.take(change);
  }

  of({ userId }: { readonly userId: string }): string {
    return this.changes.get(userId) ?? '';
  }
}

/** A backend that follows everybody, one that follows these, and a client that watches them. */
async function watched(
  people: readonly { readonly userId: string }[],
): Promise<Record<'everybody' | 'these' | 'client', Told>> {
  const users = people.map(({ userId }) => userId);
  const push = backend();
  const told = { everybody: new Told(), these: new Told(), client: new Told() };
  const watches = [
    push.watchPresence({ debounceMs: DEBOUNCE_MS }, (change) => told.everybody.change(change)),
    push.watchPresence({ users, debounceMs: DEBOUNCE_MS }, (change) => told.these.change(change)),
  ];
  await Promise.all(watches.map(({ ready }) => ready));
  const watcher = await stage().person(stage().userOn('node-3', 'node-2'));
  await watchPresence(watcher.client, users, (state) => told.client.take(state));
  return told;
}

async function all(told: Record<string, Told>, who: { userId: string }, expected: string): Promise<void> {
  for (const [name, one] of Object.entries(told)) await is(one, who, expected, name);
}

async function is(told: Told, who: { userId: string }, expected: string, name = 'it'): Promise<void> {
  await waitFor(() => told.of(who) === expected, {
    timeout: 40_000,
    message: `${name} to be told ${expected} of ${who.userId}`,
  });
}

describe('presence', () => {
  it('is told to backends, of users and of groups', async () => {
    const push = backend();
    const [alice, bob] = [await stage().person(stage().userOn('node-1')), stage().userOn('node-2')];
    await alice.client.join('group:class');
    // a home that is new says that it does not know
    const [a, b] = await waitFor(
      async () => {
        const answers = await push.presence([alice.userId, bob]);
        return answers.every(({ error }) => !error) && answers;
      },
      { timeout: 20_000, message: 'the homes to be sure' },
    );
    expect(a).toEqual({
      userId: alice.userId,
      online: true,
      since: expect.any(Number),
      sessions: 1,
      nodes: [{ nodeId: 'node-1', sessions: 1 }],
    });
    expect(b).toEqual({ userId: bob, online: false, sessions: 0, nodes: [] });
    expect(await push.groupPresence('class')).toEqual({
      group: 'class',
      sessions: 1,
      users: [alice.userId],
      more: false,
      missing: [],
    });
    await expect(push.presence(['', 'x'])).rejects.toMatchObject({ code: 'invalid_user_id' });
    await expect(push.groupPresence('')).rejects.toMatchObject({ code: 'invalid_channel' });
  });

  it('tells who comes and who goes, to backends and to clients, each change once', async () => {
    const early = await stage().person(stage().userOn('node-2'));
    const late = stage().userOn('node-1');
    const { everybody, these, client } = await watched([early, { userId: late }]);
    expect(everybody.initial).toContain(early.userId);
    expect(these.initial).toEqual([early.userId]);
    const { cluster } = stage();
    expect(await cluster.node('node-1').metric('ringway_presence_streams')).toBe(2);
    await waitFor(() => client.of({ userId: late }) === '-', {
      message: 'the client to be told how things stand',
    });
    const person = await stage().person(late);
    await is(these, person, '+');
    const left = performance.now();
    await person.leave();
    await is(these, person, '+-');
    expect(performance.now() - left).toBeGreaterThan(DEBOUNCE_MS - 500);
    await is(everybody, person, '+-');
    await is(client, person, '-+-');
    for (const one of [everybody, these, client]) expect(one.of(early)).toBe('+');
  });

  it('of users whose home is killed: nobody goes who comes back elsewhere, and who does not goes once', async () => {
    const { cluster } = stage();
    const back: Person[] = [];
    for (let i = 0; i < 5; i++)
      back.push(await stage().person(stage().userOn('node-1', i % 2 === 0 ? 'node-2' : 'node-3')));
    const lost = await stage().session(stage().userOn('node-1', 'node-2'));
    const { userId } = await lost.frame('welcome');
    const far = await stage().person(stage().userOn('node-2'));
    const told = await watched([...back, { userId }, far]);
    await all(told, far, '+');
    for (const person of [...back, { userId }]) await all(told, person, '+');

    await cluster.node('node-1').kill();
    await Promise.all(
      back.map(({ userId: id }, i) => back[i]?.arrives(i % 2 === 0 ? 'node-2' : 'node-3') ?? id),
    );
    await all(told, { userId }, '+-');
    for (const one of Object.values(told))
      for (const person of [...back, far]) expect(one.of(person)).toBe('+');

    // it comes back, and so does nearly everybody: no news, until one goes
    await cluster.node('node-1').start();
    await stage().settled();
    await Promise.all(back.map((person) => person.arrives('node-1')));
    await far.leave();
    await all(told, far, '+-');
    for (const one of Object.values(told)) for (const person of back) expect(one.of(person)).toBe('+');
  });

  it('is silent of a node that is added and one that is taken away', async () => {
    const { cluster } = stage();
    const people: Person[] = [];
    for (let i = 0; i < 24; i++) people.push(await stage().person(stage().userOn(`node-${(i % 3) + 1}`)));
    const absent = Array.from({ length: 6 }, (_, i) => ({ userId: stage().userOn(`node-${(i % 3) + 1}`) }));
    const marker = await stage().person(stage().userOn('node-2'));
    const told = await watched([...people, ...absent, marker]);
    for (const person of people) await all(told, person, '+');

    const ring = stage().ring(['node-1', 'node-2', 'node-3', 'node-4']);
    const ids = people.filter(({ userId }) => ring.owner(`user:${userId}`)?.id === 'node-4');
    expect(ids.length).toBeGreaterThan(0);
    const added = await cluster.addNode({ RINGWAY_NODE_ID: 'node-4' });
    await stage().settled();
    for (const person of ids) await person.arrives('node-4');
    await added.stop();
    await stage().settled();
    for (const person of ids) expect(person.nodeId).not.toBe('node-4');

    // whatever the change has set going has been said by the time that this is
    await marker.leave();
    await all(told, marker, '+-');
    for (const person of people)
      for (const [name, one] of Object.entries(told)) expect([name, one.of(person)]).toEqual([name, '+']);
    for (const who of absent)
      expect([told['everybody']?.of(who), told['client']?.of(who)]).toEqual(['', '-']);
  });
});
