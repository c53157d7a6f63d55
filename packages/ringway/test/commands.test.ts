import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { locatorSource, RingwayPush } from '@ringway/push';
import {
  type ConsulAgent,
  freePorts,
  launch,
  type RunningProcess,
  startDevConsul,
  waitFor,
} from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// The commands as processes of their own, in production form: real Consul, keys from the environment.
const MAIN = join(import.meta.dirname, '../src/main.ts');
const ARGS = ['--conditions=@ringway/source', MAIN];

const keys = {
  RINGWAY_CLUSTER_KEYS: 'a-cluster-key-for-tests-of-32-bytes!',
  RINGWAY_TICKET_KEYS: 'a-ticket-key-for-tests-of-32-bytes!!',
};

let consul: ConsulAgent;
let env: Record<string, string>;
let publicUrl: string;
let internalUrl: string;
const processes: RunningProcess[] = [];

beforeAll(async () => {
  consul = await startDevConsul();
  env = { ...keys, RINGWAY_CONSUL_URL: consul.address };
  const [publicPort, internalPort] = await freePorts(2);
  publicUrl = `http://127.0.0.1:${publicPort}`;
  internalUrl = `http://127.0.0.1:${internalPort}`;
  await start('locator', {
    RINGWAY_INSECURE: '1',
    RINGWAY_PUBLIC_LISTEN: `127.0.0.1:${publicPort}`,
    RINGWAY_INTERNAL_LISTEN: `127.0.0.1:${internalPort}`,
  });
  for (const id of ['node-1', 'node-2']) {
    await start('node', {
      RINGWAY_NODE_ID: id,
      RINGWAY_PUBLIC_LISTEN: '127.0.0.1:0',
      RINGWAY_INTERNAL_LISTEN: '127.0.0.1:0',
    });
  }
  await waitFor(
    async () => (await ringway(['ring', '--locator', internalUrl])).out.includes('2 of 2 members up'),
    {
      message: 'the locator sees both nodes',
      timeout: 20_000,
      interval: 200,
    },
  );
}, 60_000);

afterAll(async () => {
  await Promise.all(processes.map((each) => each.stop()));
  await consul?.[Symbol.asyncDispose]();
});

async function start(command: string, more: Record<string, string>): Promise<void> {
  const name = `ringway ${command} ${more['RINGWAY_NODE_ID'] ?? ''}`;
  processes.push(
    await launch({ command: process.execPath, args: [...ARGS, command], env: { ...env, ...more }, name }),
  );
}

function ringway(args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...ARGS, ...args], { env: { ...process.env, ...env } }, (error, out, err) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

describe('the commands against a cluster', () => {
  test('ring: from the locator and from Consul, the same', async () => {
    const [one, other] = await Promise.all([
      ringway(['ring', '--locator', internalUrl]),
      ringway(['ring', '--consul']),
    ]);
    expect(one.out).toMatch(/^ring index \d+, checksum [0-9a-f]{16}, format 1: 2 of 2 members up\n/);
    expect(one.out).toMatch(
      /node-1 +ws:\/\/127\.0\.0\.1:\d+ +http:\/\/127\.0\.0\.1:\d+ +1 +up +[45]\d\.\d\d %/,
    );
    expect(other.out.replace(/index \d+/, '')).toBe(one.out.replace(/index \d+/, ''));
    const { out } = await ringway(['ring', '--json', '--locator', internalUrl]);
    const { members } = JSON.parse(out) as { readonly members: readonly { readonly share: number }[] };
    expect(members.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  });

  test('route: the node, without the ticket unless it is asked for', async () => {
    const { status, out } = await ringway(['route', 'alice', '--locator', publicUrl]);
    expect(status).toBe(0);
    expect(out).toMatch(
      /^user +alice\nnode +node-[12]\nurl +ws:\/\/\S+\?ticket=…\nexpires +\S+ \(in \d+ s\)\n/,
    );
    const whole = await ringway(['route', 'alice', '--locator', publicUrl, '--json']);
    expect(JSON.parse(whole.out)).toMatchObject({ userId: 'alice', ticket: expect.stringMatching(/^eyJ/) });
  });

  test('push: to a session that is there, and the answer says so', async () => {
    const { out } = await ringway(['route', 'alice', '--locator', publicUrl, '--json']);
    const socket = new WebSocket((JSON.parse(out) as { readonly url: string }).url);
    const frames: string[] = [];
    socket.addEventListener('message', ({ data }) => frames.push(String(data)));
    await waitFor(() => frames.some((frame) => frame.includes('"welcome"')), { message: 'welcome' });
    const pushed = await ringway([
      'push',
      'alice',
      '{"n":12345678901234567890}',
      '--id',
      'm1',
      '--locator',
      internalUrl,
    ]);
    expect(pushed).toMatchObject({ status: 0, err: '' });
    expect(pushed.out).toMatch(/^published m1: reached 1 session, position 1 of epoch \S+\n$/);
    const frame = await waitFor(() => frames.find((each) => each.includes('"message"')), {
      message: 'the message',
    });
    expect(frame).toContain('"data":{"n":12345678901234567890}');
    expect(frame).toContain('"from":"service:cli"');
    const again = await ringway([
      'push',
      'alice',
      '{"n":12345678901234567890}',
      '--id',
      'm1',
      '--locator',
      internalUrl,
    ]);
    expect(again.out).toContain('was there already');
    const conflict = await ringway(['push', 'alice', '1', '--id', 'm1', '--locator', internalUrl]);
    expect(conflict.status).toBe(1);
    expect(conflict.err).toMatch(/^ringway: id_conflict: /);
    await waitFor(() => frames.some((each) => each.includes('"channel":"all"')), { message: 'all' });
    const toAll = await ringway(['push', 'all', '"closing"', '--channel', '--locator', internalUrl]);
    expect(toAll).toMatchObject({ status: 0, err: '' });
    await waitFor(() => frames.some((each) => each.includes('"data":"closing"')), { message: 'to everyone' });
    socket.close();
  });

  test('drain: found by Consul, taken back while it lasts, by whoever has the keys', async () => {
    const session = await stubbornSession('node-2');
    const drained = ringway(['drain', 'node-2', '--consul']);
    await waitFor(async () => (await ringway(['ring', '--locator', internalUrl])).out.includes('1 of 2'), {
      message: 'node-2 is out of the ring',
    });
    const cancelled = await ringway(['drain', 'node-2', '--cancel', '--consul']);
    expect(cancelled).toEqual({ status: 0, out: 'node-2 serves again, with 1 sessions\n', err: '' });
    const { status, out, err } = await drained;
    expect({ status, err }).toEqual({
      status: 1,
      err: 'ringway drain: node-2 serves again: the drain was cancelled\n',
    });
    expect(out).toMatch(/^node-2 draining: 0 moved, 1 left, \S+ s of 25 s\n/);
    await waitFor(async () => (await ringway(['ring', '--locator', internalUrl])).out.includes('2 of 2'), {
      message: 'node-2 is in the ring again',
    });
    session.close();
  });

  test('by curl alone: token, /owner, POST /publish', async () => {
    const { out } = await ringway(['token', '--sub', 'billing']);
    const owner = await fetch(`${internalUrl}/owner?userId=bob`, {
      headers: { authorization: `Bearer ${out.trim()}` },
    });
    const { internalUrl: node, token } = (await owner.json()) as {
      readonly internalUrl: string;
      readonly token: string;
    };
    const answer = await fetch(`${node}/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{"to":"user:bob","data":1,"id":"c1"}',
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id: 'c1', reached: 0, position: { seq: 1 } });
  });

  test('an expired or foreign token is refused, and told by its code', async () => {
    const wrong = { RINGWAY_CLUSTER_KEYS: 'another-key-that-is-32-bytes-long!!!' };
    const before = env;
    env = { ...env, ...wrong };
    try {
      const { status, err } = await ringway(['push', 'alice', '1', '--locator', internalUrl]);
      expect(status).toBe(1);
      expect(err).toMatch(/^ringway: unauthenticated: /);
    } finally {
      env = before;
    }
  });

  test('a backend without keys: tokens from /owner; its publishes outlive the owner', async () => {
    const token = async () => (await ringway(['token', '--sub', 'billing'])).out.trim();
    const push = new RingwayPush({ source: locatorSource({ urls: [internalUrl], token }), name: 'billing' });
    try {
      const before = await push.publish('user:carol', 1, { id: 'k1' });
      const [nodeId = '', owner] = await ownerOf('carol');
      const answer = await push.publish('group:g', { users: 'are data here' });
      expect(answer.position).toBeDefined();
      await owner?.kill();
      const after = await push.publish('user:carol', 2);
      expect(after.position?.epoch).not.toBe(before.position?.epoch);
      await waitFor(async () => (await ownerOf('carol'))[0] !== nodeId, {
        message: 'Consul has noticed',
        timeout: 15_000,
      });
    } finally {
      await push.close();
    }
  });
});

/** A session on this node that does not go when it is told to. */
async function stubbornSession(nodeId: string): Promise<WebSocket> {
  for (let i = 0; ; i++) {
    const { out } = await ringway(['route', `user-${i}`, '--locator', publicUrl, '--json']);
    const answer = JSON.parse(out) as { readonly nodeId: string; readonly url: string };
    if (answer.nodeId !== nodeId) continue;
    const socket = new WebSocket(answer.url);
    const welcome = Promise.withResolvers<void>();
    socket.addEventListener('message', () => welcome.resolve());
    await welcome.promise;
    return socket;
  }
}

/** The home of a user, and its process. */
async function ownerOf(user: string): Promise<[string, RunningProcess | undefined]> {
  const { out } = await ringway(['route', user, '--locator', publicUrl, '--json']);
  const { nodeId } = JSON.parse(out) as { readonly nodeId: string };
  return [nodeId, processes.find(({ name }) => name === `ringway node ${nodeId}`)];
}
