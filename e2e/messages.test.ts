import { PublishRefusedError } from '@ringway/client';
import { waitFor } from '@ringway/testkit';
import { describe, expect, it } from 'vitest';
import type { Person } from './support/person.ts';
import { useStage } from './support/stage.ts';

const stage = useStage();

describe('messages between users', () => {
  it('go from one node to the other, both ways, once and in order', async () => {
    const alice = await stage().person(stage().userOn('node-1'));
    const bob = await stage().person(stage().userOn('node-2'));
    expect([alice.nodeId, bob.nodeId]).toEqual(['node-1', 'node-2']);
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    const answers = await Promise.all(
      numbers.flatMap((n) => [alice.tell(bob, { ping: n }), bob.tell(alice, { pong: n })]),
    );
    expect(answers.every(({ reached, duplicate }) => reached === 1 && !duplicate)).toBe(true);
    await bob.hears({ ping: 99 });
    await alice.hears({ pong: 99 });
    expect(bob.heard).toEqual(numbers.map((ping) => ({ ping })));
    expect(alice.heard).toEqual(numbers.map((pong) => ({ pong })));
    expect(bob.messages.map(({ position }) => position?.seq)).toEqual(numbers.map((n) => n + 1));
    expect(bob.messages[0]).toMatchObject({ from: `user:${alice.userId}`, channel: `user:${bob.userId}` });
  });

  it('reach every session of the user, a guest’s too', async () => {
    const user = stage().userOn('node-1', 'node-3');
    const [alice, home] = [await stage().person(stage().userOn('node-2')), await stage().person(user)];
    const { url, nodeId } = await stage().cluster.route(user, { query: 'avoid=node-1' });
    const guest = stage().socket(url);
    await guest.frame('welcome');
    expect(nodeId).toBe('node-3');
    expect((await alice.tell(user, 'to both')).reached).toBe(2);
    await home.hears('to both');
    expect(await guest.frame('message')).toMatchObject({ from: `user:${alice.userId}`, data: 'to both' });
  });

  it('reach everyone of a list, each told for itself', async () => {
    const alice = await stage().person(stage().userOn('node-1'));
    const others = await Promise.all(
      ['node-1', 'node-2', 'node-3'].map((id) => stage().person(stage().userOn(id))),
    );
    const away = stage().userOn('node-2');
    const users = [...others.map(({ userId }) => userId), away];
    const { reached, results } = await alice.client.publish({ users }, { all: 'of you' });
    expect(reached).toBe(3);
    expect(results?.map((result) => result.reached)).toEqual([1, 1, 1, 0]);
    await Promise.all(others.map((other) => other.hears({ all: 'of you' })));
  });

  it('reach a group on all nodes', async () => {
    const people = await Promise.all(
      ['node-1', 'node-2', 'node-3'].map((id) => stage().person(stage().userOn(id))),
    );
    await Promise.all(people.map(({ client }) => client.join('group:class-7')));
    const [alice] = people;
    expect((await alice?.client.publish('group:class-7', 'good morning'))?.reached).toBe(3);
    await Promise.all(people.map((person) => person.hears('good morning')));
  });

  it('reach everyone by the channel all, unasked, and who was away gets what was missed', async () => {
    const people = await Promise.all(
      ['node-1', 'node-2', 'node-3'].map((id) => stage().person(stage().userOn(id))),
    );
    const [alice, bob, carol] = people as [Person, Person, Person];
    const present = (person: Person) => person.client.position('all') !== undefined;
    await waitFor(() => people.every(present), { message: 'everyone to be in all' });
    await alice.client.publish('all', 'to everyone');
    await Promise.all(people.map((person) => person.hears('to everyone')));
    await carol.leave();
    await bob.client.publish('all', 'while one is away');
    await carol.client.connect();
    await Promise.all(people.map((person) => person.hears('while one is away')));
    for (const { heard, gaps } of people) {
      expect(heard).toEqual(['to everyone', 'while one is away']);
      expect(gaps).toEqual([]);
    }
  });

  it('keep their text, to the last digit of a number that JavaScript cannot hold', async () => {
    const alice = await stage().session(stage().userOn('node-1'));
    const user = stage().userOn('node-3');
    const bob = await stage().session(user);
    alice.send(
      `{"type":"publish","to":"user:${user}","id":"1","data":{"n":12345678901234567890.10,"s":"\\u00e9é"}}`,
    );
    await bob.frame('message');
    expect(bob.texts.find((text) => text.startsWith('{"type":"message"'))).toContain(
      '"data":{"n":12345678901234567890.10,"s":"\\u00e9é"}',
    );
  });

  it('are stored once however often they are sent, and refused when the same id says something else', async () => {
    const alice = await stage().person(stage().userOn('node-1'));
    const bob = await stage().person(stage().userOn('node-2'));
    const first = await alice.tell(bob, 'once', { id: 'same' });
    const again = await alice.tell(bob, 'once', { id: 'same' });
    expect(again).toMatchObject({ duplicate: true, position: first.position });
    await expect(alice.tell(bob, 'other', { id: 'same' })).rejects.toMatchObject({ code: 'id_conflict' });
    await alice.tell(bob, 'last');
    await bob.hears('last');
    expect(bob.heard).toEqual(['once', 'last']);
  });

  it.each(['Zoë', '李雷', '😀🎈', 'a b/c?d&e=f%20', 'user:bob', 'x'.repeat(256)])(
    'work for the user id %.40s',
    async (user) => {
      const carol = await stage().person(user);
      const [home] = stage().ring().owners(`user:${user}`, 1);
      expect(carol.nodeId).toBe(home?.id);
      const dave = await stage().person(`${user.slice(0, 2)}→dave`);
      expect((await dave.tell(carol, { hi: user })).reached).toBe(1);
      expect((await carol.hears({ hi: user })).from).toBe(`user:${dave.userId}`);
    },
  );
});

describe('cap', () => {
  it('forbids to publish where the token does not allow it, and receiving needs none', async () => {
    const [bob, other] = [stage().userOn('node-2'), stage().userOn('node-3')];
    const alice = await stage().person(stage().userOn('node-1'), {
      cap: { publish: [`user:${bob}`, 'user:team-*'], join: [], presence: [] },
    });
    const silent = await stage().person(bob, { claims: { cap: undefined } });
    expect((await alice.tell(bob, 'allowed')).reached).toBe(1);
    await silent.hears('allowed');
    expect((await alice.tell('team-lead', 'allowed by the star')).reached).toBe(0);
    const refused = (to: Promise<unknown>) => expect(to).rejects.toMatchObject({ code: 'forbidden' });
    await refused(alice.tell(other, 'no'));
    await refused(alice.client.publish({ users: [bob, other] }, 'no'));
    await refused(alice.client.publish('group:class-7', 'no'));
    await refused(silent.tell(alice, 'no'));
    await expect(silent.tell(alice, 'no')).rejects.toBeInstanceOf(PublishRefusedError);
    expect(silent.heard).toEqual(['allowed']);
    // the session is told, not ended
    expect([alice.client.state, silent.client.state]).toEqual(['connected', 'connected']);
  });

  it('forbids to join', async () => {
    const alice = await stage().person(stage().userOn('node-1'), {
      cap: { publish: [], join: ['group:class-*'], presence: [] },
    });
    await alice.client.join('group:class-7');
    await expect(alice.client.join('group:staff')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(alice.client.join('user:bob')).rejects.toMatchObject({ code: 'invalid_channel' });
  });
});

describe('metrics', () => {
  const COMMON = [
    'ringway_ring_age_seconds',
    'ringway_members_rejected_total',
    'ringway_eventloop_lag_seconds',
  ];
  const NODE = [
    'ringway_sessions',
    'ringway_sessions_limit',
    'ringway_publishes_total',
    'ringway_relay_frames_total',
    'ringway_closes_total',
    'ringway_send_buffer_bytes',
    'ringway_ring_mismatch_total',
  ];

  it('of the design are there, without labels of users or groups', async () => {
    const { cluster } = stage();
    const alice = await stage().person(stage().userOn('node-1'));
    const bob = await stage().person(stage().userOn('node-2'));
    await alice.tell(bob, 'counted');
    const text = async (index: number, of: 'nodes' | 'locators') =>
      (await cluster[of][index]?.fetch('internal', '/metrics'))?.text() ?? '';
    const names = (all: string) => all.match(/(?<=^# TYPE )\S+/gm) ?? [];
    const node = await text(0, 'nodes');
    expect(names(node)).toEqual(expect.arrayContaining([...COMMON, ...NODE]));
    expect(names(await text(0, 'locators'))).toEqual(
      expect.arrayContaining([...COMMON, 'ringway_route_duration_seconds']),
    );
    for (const person of [alice, bob]) expect(node).not.toContain(person.userId);
    expect(await cluster.node('node-1').metric('ringway_sessions')).toBe(1);
    for (const each of [...cluster.nodes, ...cluster.locators]) {
      const age = await each.metric('ringway_ring_age_seconds');
      expect(age).toBeGreaterThan(0);
      expect(age).toBeLessThan(60);
    }
    expect(
      await cluster.node('node-1').metric('ringway_publishes_total', { result: 'published' }),
    ).toBeGreaterThan(0);
  });
});
