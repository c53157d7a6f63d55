import type { OwnerAnswer, PublishAnswer } from '@ringway/protocol';
import { consulSource, locatorSource, type PushOptions, RingwayPush, rawJson } from '@ringway/push';
import { waitFor } from '@ringway/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { curl, ringway } from './support/run.ts';
import { useStage } from './support/stage.ts';

const stage = useStage();

/** A backend named billing; closed at the end of the test. */
function backend(options: Partial<PushOptions> = {}): RingwayPush {
  const { cluster, ca } = stage();
  const push = new RingwayPush({
    source: locatorSource({ urls: cluster.locators.map(({ internalUrl }) => internalUrl) }),
    name: 'billing',
    cluster: cluster.name,
    clusterKeys: cluster.keys.cluster,
    tls: { ca: ca.ca },
    ...options,
  });
  onTestFinished(() => push.close());
  return push;
}

describe('the push SDK', () => {
  it('pushes straight to the home, in order, and tells what was reached', async () => {
    const push = backend();
    const alice = await stage().person(stage().userOn('node-1'));
    const before = await relayed();
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    const results = await Promise.all(numbers.map((n) => push.publish(`user:${alice.userId}`, n)));
    expect(results.map(({ reached, position }) => [reached, position?.seq])).toEqual(
      numbers.map((n) => [1, n + 1]),
    );
    await alice.hears(49);
    expect(alice.heard).toEqual(numbers);
    expect(alice.messages[0]?.from).toBe('service:billing');
    // one hop: nothing went from node to node
    expect(await relayed()).toBe(before);
  });

  it('pushes to every session of every node', async () => {
    const push = backend();
    const people = await Promise.all(
      ['node-1', 'node-2', 'node-3'].map((id) => stage().person(stage().userOn(id))),
    );
    for (const { client } of people) {
      await waitFor(() => client.position('all') !== undefined, { message: 'everyone to be in all' });
    }
    await push.publish('all', 'closing');
    await Promise.all(people.map((person) => person.hears('closing')));
  });

  it('works by the ring in Consul alone', async () => {
    const push = backend({ source: consulSource({ address: stage().cluster.consul.address }) });
    await push.ready();
    expect(push.ringVersion()?.checksum).toBe(stage().ring().version.checksum);
    const alice = await stage().person(stage().userOn('node-2'));
    expect((await push.publish(`user:${alice.userId}`, 'by consul')).reached).toBe(1);
    await alice.hears('by consul');
  });

  it('works without the cluster’s keys, by a token for the locator', async () => {
    const { cluster } = stage();
    const urls = cluster.locators.map(({ internalUrl }) => internalUrl);
    const keyless = {
      source: locatorSource({ urls, token: () => cluster.clusterToken('locator', 'push') }),
      name: 'billing',
      cluster: cluster.name,
      tls: { ca: stage().ca.ca },
    };
    const push = new RingwayPush(keyless);
    onTestFinished(() => push.close());
    const alice = await stage().person(stage().userOn('node-3'));
    expect((await push.publish(`user:${alice.userId}`, 'without keys')).reached).toBe(1);
    await alice.hears('without keys');
  });

  it('splits a list by home, and carries data as it was written', async () => {
    const push = backend();
    const people = await Promise.all(
      ['node-1', 'node-2', 'node-3'].map((id) => stage().person(stage().userOn(id))),
    );
    const raw = await stage().session(stage().userOn('node-1'));
    const welcome = await raw.frame('welcome');
    const users = [...people.map(({ userId }) => userId), welcome.userId];
    const { reached, results } = await push.publish({ users }, rawJson('{"big":12345678901234567890}'));
    expect(reached).toBe(4);
    expect(results?.map((result) => result.to)).toEqual(users);
    await raw.frame('message');
    expect(raw.texts.at(-1)).toContain('"data":{"big":12345678901234567890}');
  });

  it('names the sessions of a user and ends them, for good and for a while', async () => {
    const push = backend();
    const user = stage().userOn('node-1');
    const alice = await stage().person(user);
    const { sessionId } = alice.client.session ?? {};
    expect(await push.sessions(user)).toEqual([
      { sessionId, userId: user, nodeId: 'node-1', since: expect.any(Number) },
    ]);
    await push.kick(user, { banSeconds: 60 });
    await expect.poll(() => alice.client.state).toBe('disconnected');
    expect(alice.errors.at(-1)).toMatchObject({ name: 'SessionEndedError', code: 'kicked' });
    const back = stage().socket((await stage().cluster.route(user)).url);
    expect((await back.closed).reason).toBe('kicked');
  });
});

describe('curl alone', () => {
  it('finds the owner by /owner and pushes to it by POST /publish', async () => {
    const { cluster, ca } = stage();
    const user = stage().userOn('node-2');
    const alice = await stage().person(user);
    const token = await ringwayToken();
    const owner = await curl(
      ca.caFile,
      ...['-H', `Authorization: Bearer ${token}`],
      `${cluster.locator.internalUrl}/owner?userId=${user}`,
    );
    expect(owner.status).toBe(200);
    const found = JSON.parse(owner.body) as OwnerAnswer;
    expect(found).toEqual({
      userId: user,
      nodeId: 'node-2',
      internalUrl: cluster.node('node-2').internalUrl,
      token: expect.any(String),
      expiresAt: expect.any(Number),
      ring: { index: expect.any(String), checksum: stage().ring().version.checksum },
    });
    const publish = (body: string, bearer = found.token) =>
      curl(
        ca.caFile,
        ...['-X', 'POST', '-H', `Authorization: Bearer ${bearer}`, '-H', 'Content-Type: application/json'],
        ...['--data-binary', body, `${found.internalUrl}/publish`],
      );
    const answer = await publish(`{"to":"user:${user}","data":{"from":"curl"},"id":"c-1"}`);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ id: 'c-1', reached: 1, position: { seq: 1 } });
    expect((await alice.hears({ from: 'curl' })).from).toBe('service:cli');

    const many = await publish(`[{"to":"user:${user}","data":1},{"to":"nobody","data":2}]`);
    const answers = JSON.parse(many.body) as PublishAnswer[];
    expect(answers[0]).toMatchObject({ reached: 1 });
    expect(answers[1]).toMatchObject({ error: { code: 'invalid_channel', retryable: false } });

    // any node accepts and routes
    const other = cluster.node('node-3');
    const elsewhere = await curl(
      ca.caFile,
      ...['-H', `Authorization: Bearer ${cluster.clusterToken('node-3', 'push')}`],
      ...['-H', 'Content-Type: application/json', '-d', `{"to":"user:${user}","data":"any node"}`],
      `${other.internalUrl}/publish`,
    );
    expect(JSON.parse(elsewhere.body)).toMatchObject({ reached: 1 });
    await alice.hears('any node');

    for (const bad of ['', 'nonsense', token, cluster.clusterToken('node-2', 'peer')]) {
      expect([401, 403]).toContain((await publish(`{"to":"user:${user}","data":"no"}`, bad)).status);
    }
    expect(alice.heard).toEqual([{ from: 'curl' }, 1, 'any node']);
  });

  it('asks for many owners at once, and is refused without a token of the cluster', async () => {
    const { cluster, ca } = stage();
    const users = ['node-1', 'node-3', 'node-2'].map((id) => stage().userOn(id));
    const ask = (token: string) =>
      curl(
        ca.caFile,
        ...['-H', `Authorization: Bearer ${token}`, '-H', 'Content-Type: application/json'],
        ...['-d', JSON.stringify({ userIds: users }), `${cluster.locator.internalUrl}/owner`],
      );
    const { owners } = JSON.parse((await ask(await ringwayToken())).body) as { owners: OwnerAnswer[] };
    expect(owners.map(({ nodeId }) => nodeId)).toEqual(['node-1', 'node-3', 'node-2']);
    expect((await ask(cluster.callerToken('alice'))).status).toBe(401);
    expect((await ask(cluster.clusterToken('node-1', 'push'))).status).toBe(401);
  });
});

/** What `ringway token` prints. */
async function ringwayToken(): Promise<string> {
  const { cluster } = stage();
  const { code, output } = await ringway(['token'], {
    RINGWAY_CLUSTER: cluster.name,
    RINGWAY_CLUSTER_KEYS: cluster.keys.cluster,
  });
  expect(code).toBe(0);
  return output.trim();
}

/** Frames between nodes so far. */
async function relayed(): Promise<number> {
  const counts = await Promise.all(
    stage().cluster.nodes.map((node) => node.metric('ringway_relay_frames_total')),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
