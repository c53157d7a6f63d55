import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { useStage } from './support/stage.ts';
import { Stream, streamProblem } from './support/stream.ts';

const stage = useStage();

/** Where the first locator carries sockets: it is started again with that switched on. */
async function carried(): Promise<string> {
  const { cluster, ca } = stage();
  const { locator } = cluster;
  const url = locator.publicUrl.replace('https', 'wss');
  if (!locator.env['RINGWAY_FALLBACK']) {
    await locator.stop();
    await locator.start({ RINGWAY_FALLBACK: url, RINGWAY_FALLBACK_CA: ca.caFile });
    await stage().settled();
  }
  return url;
}

/** A network that lets nothing through but what goes to that host: every other socket is refused at once. */
function networkTo(origin: string, opened: string[]) {
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url.startsWith(origin) ? url : 'ws://127.0.0.1:1', protocols, { perMessageDeflate: false });
      opened.push(url);
    }
  };
}

describe('one step for those who cannot take two', () => {
  it('a client that has nothing but one URL and a token is carried to its owner', async () => {
    const url = await carried();
    const { cluster } = stage();
    const user = stage().userOn('node-2');
    const bob = await stage().person(stage().userOn('node-3'));
    const socket = stage().socket(`${url}/connect?userId=${user}`, {
      headers: { authorization: `Bearer ${cluster.callerToken(user)}` },
    });
    expect(await socket.frame('welcome')).toMatchObject({ userId: user, nodeId: 'node-2' });
    expect((await bob.tell(user, 'hello')).reached).toBe(1);
    expect((await socket.frame('message')).data).toBe('hello');
    socket.send({ type: 'publish', to: `user:${bob.userId}`, data: 'and you', id: 'p-1' });
    await bob.hears('and you');
    const node = cluster.node('node-2');
    const kicked = await node.fetch('internal', `/sessions?userId=${user}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${cluster.clusterToken('node-2', 'admin')}` },
    });
    expect(kicked.ok).toBe(true);
    expect(await socket.closed).toEqual({ code: 4404, reason: 'kicked' });
    expect(await cluster.locator.metric('ringway_fallback_total', { result: 'opened' })).toBeGreaterThan(0);
  });

  it('the SDK takes it after two direct failures, and keeps its conversation when it has to come again', {
    timeout: 120_000,
  }, async () => {
    const url = await carried();
    const { cluster } = stage();
    const opened: string[] = [];
    const user = stage().userOn('node-1');
    const alice = await stage().person(user, {
      sdk: { WebSocket: networkTo(url, opened), locator: cluster.locator.publicUrl },
    });
    expect(opened.map((each) => each.startsWith(`${url}/connect?ticket=`))).toEqual([false, false, true]);
    const bob = await stage().person(stage().userOn('node-3'));
    expect((await bob.tell(alice, 'one')).reached).toBe(1);
    await alice.hears('one');
    expect((await alice.tell(bob, 'two')).reached).toBe(1);
    await bob.hears('two');

    // The locator goes and comes back: what is said meanwhile is there when the session is again.
    await cluster.locator.stop();
    onTestFinished(() => stage().settled());
    await bob.tell(alice, 'three');
    await cluster.locator.start({ RINGWAY_FALLBACK: url, RINGWAY_FALLBACK_CA: stage().ca.caFile });
    await alice.hears('three', 40_000);
    expect(alice.heard).toEqual(['one', 'three']);
    expect(alice.gaps).toEqual([]);
  });

  it('a move behind it is seen by nobody: one stream, without gap, repeat or disconnect', async () => {
    const url = await carried();
    const { cluster } = stage();
    const four = ['node-1', 'node-2', 'node-3', 'node-4'];
    let user = '';
    const after = stage().ring(four);
    do user = stage().userOn('node-1');
    while (after.owner(`user:${user}`)?.id !== 'node-4');
    const opened: string[] = [];
    const alice = await stage().person(user, {
      sdk: { WebSocket: networkTo(url, opened), locator: cluster.locator.publicUrl },
    });
    const bob = await stage().person(stage().userOn('node-3'));
    const stream = new Stream(bob, alice.userId);
    const added = await cluster.addNode({ RINGWAY_NODE_ID: 'node-4' });
    await alice.arrives('node-4', 40_000);
    await stream.end();
    await alice.hears(stream.sent);
    expect(streamProblem(alice, stream.sent)).toBeUndefined();
    expect(alice.gaps).toEqual([]);
    expect(alice.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
    expect(opened.slice(2).every((each) => each.startsWith(`${url}/connect?ticket=`))).toBe(true);
    await added.stop();
    await alice.arrives('node-1', 40_000);
    expect(alice.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
  });
});
