import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  freePort,
  type LaunchOptions,
  launch,
  type RunningProcess,
  startTcpProxy,
  type TcpProxy,
  waitFor,
} from '@ringway/testkit';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { useStage } from './support/stage.ts';

const CLIENT = join(import.meta.dirname, 'python/client.py');

// The way of clients to node-1, which a test can cut.
let way: TcpProxy | undefined;
afterAll(() => way?.[Symbol.asyncDispose]());

const stage = useStage(async () => {
  const port = await freePort();
  way = await startTcpProxy({ port });
  const node1 = {
    RINGWAY_PUBLIC_LISTEN: `127.0.0.1:${port}`,
    RINGWAY_PUBLIC_URL: `wss://127.0.0.1:${way.port}`,
  };
  // often enough that who does not answer is found out within a test
  const nodeEnv = { RINGWAY_PING_INTERVAL: '1s', RINGWAY_PING_TIMEOUT: '1s' };
  return { nodeEnv, envOf: { 'node-1': node1 } };
});

type Event = Readonly<Record<string, unknown>> & { readonly event: string };

/** Someone with a client in Python, who says what is asked of him. */
class PythonPerson {
  readonly userId: string;
  readonly process: RunningProcess;

  constructor(userId: string, process: RunningProcess) {
    this.userId = userId;
    this.process = process;
  }

  get events(): Event[] {
    const lines = this.process.output.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Event);
  }

  /** What the messages said, in the order in which they came. */
  get heard(): unknown[] {
    return this.all('message').map(({ data }) => data);
  }

  all(event: string): Event[] {
    return this.events.filter((each) => each.event === event);
  }

  tells(event: string, fields: object = {}): Promise<Event> {
    const wanted = (each: Event) => Object.entries(fields).every(([k, v]) => isDeepStrictEqual(each[k], v));
    return waitFor(() => this.all(event).find(wanted), {
      timeout: 20_000,
      message: `${this.userId} tells ${event} ${JSON.stringify(fields)}; output: ${this.process.output}`,
    });
  }
}

async function python(
  userId: string,
  options: { seconds?: number; group?: string } = {},
): Promise<PythonPerson> {
  const { cluster, ca } = stage();
  const { seconds = 600, group } = options;
  const args = [CLIENT, cluster.locator.publicUrl, ca.caFile, cluster.keys.auth, userId, `${seconds}`];
  const launching: LaunchOptions = {
    // Debian's own: another Python on PATH does not see Debian's packages
    command: '/usr/bin/python3',
    args: group === undefined ? args : [...args, group],
    name: `python ${userId}`,
  };
  const person = new PythonPerson(userId, await launch(launching));
  onTestFinished(() => person.process[Symbol.asyncDispose]());
  await person.tells('welcome');
  return person;
}

describe('a client in Python, made from docs/protocol.md alone', () => {
  it('receives, publishes, answers pings, and says goodbye', async () => {
    const user = stage().userOn('node-2');
    const pia = await python(user, { group: 'group:class-7' });
    const bob = await stage().person(stage().userOn('node-3'));
    expect((await pia.tells('welcome'))['node']).toBe('node-2');
    await pia.tells('joined', { channel: 'group:class-7' });

    expect((await bob.tell(user, { to: `user:${bob.userId}`, say: 'grüß dich' })).reached).toBe(1);
    expect((await bob.hears('grüß dich')).from).toBe(`user:${user}`);
    await pia.tells('published', { reached: 1, duplicate: false });
    await bob.client.publish('group:class-7', 'to all');
    await pia.tells('message', { channel: 'group:class-7', data: 'to all' });

    await waitFor(() => pia.all('ping').length >= 3, { message: 'three pings' });
    expect(pia.all('closed')).toEqual([]);
    expect(await pia.process.stop()).toEqual({ code: 0, signal: null });
    await waitFor(async () => (await stage().cluster.node('node-2').metric('ringway_sessions')) === 0, {
      message: 'its session is gone',
    });
  });

  it('works for a user whose id is not ASCII', async () => {
    const pia = await python('Пиа 🐍');
    const bob = await stage().person(stage().userOn('node-3'));
    await bob.tell('Пиа 🐍', { to: `user:${bob.userId}`, say: 'привет' });
    expect((await bob.hears('привет')).from).toBe('user:Пиа 🐍');
    await pia.process.stop();
  });

  it('renews its right', async () => {
    const pia = await python(stage().userOn('node-2'), { seconds: 4 });
    await waitFor(() => pia.all('refreshed').length >= 2, { timeout: 20_000, message: 'two renewals' });
    expect(pia.all('closed')).toEqual([]);
  });

  it('comes back when its connection is cut, with all that was said meanwhile, once', async () => {
    const user = stage().userOn('node-1', 'node-2');
    const pia = await python(user);
    const bob = await stage().person(stage().userOn('node-3'));
    await bob.tell(user, 'before');
    await pia.tells('message', { data: 'before' });
    way?.cut();
    await pia.tells('closed', { code: 1006 });
    await Promise.all([1, 2, 3].map((n) => bob.tell(user, n)));
    // node-1 lives, but cannot be reached: a guest on the successor
    expect((await pia.tells('welcome', { node: 'node-2' }))['node']).toBe('node-2');
    await pia.tells('message', { data: 3 });
    expect((await bob.tell(user, { to: `user:${bob.userId}`, say: 'here I am' })).reached).toBe(1);
    await bob.hears('here I am');
    way?.heal();
    expect(pia.heard.slice(0, 4)).toEqual(['before', 1, 2, 3]);
    expect(pia.all('resumed').filter(({ channel }) => channel === `user:${user}`)).toHaveLength(1);
    expect(pia.all('gap')).toEqual([]);
  });

  it('comes back when its node is killed, and what it misses it is told', async () => {
    const { cluster } = stage();
    const user = stage().userOn('node-2', 'node-3');
    const pia = await python(user);
    const bob = await stage().person(stage().userOn('node-3'));
    await bob.tell(user, 'before');
    await pia.tells('message', { data: 'before' });
    await cluster.node('node-2').kill();
    await pia.tells('welcome', { node: 'node-3' });
    await bob.tell(user, { to: `user:${bob.userId}`, say: 'alive' });
    await bob.hears('alive');
    await pia.tells('gap');
    await stage().settled();
    await cluster.node('node-2').start();
    await stage().settled();
  });

  it('stops where the table says so', async () => {
    const pia = await python(stage().userOn('node-3'));
    const { cluster } = stage();
    const token = cluster.clusterToken('node-3', 'push');
    const answer = await cluster.node('node-3').fetch('internal', `/sessions?userId=${pia.userId}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(202);
    await pia.tells('closed', { code: 4404 });
    expect(await pia.process.exited).toEqual({ code: 1, signal: null });
  });
});
