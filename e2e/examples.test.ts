import { join } from 'node:path';
import { RingwayClient } from '@ringway/client';
import { launch, type RunningProcess, startCluster, startKafka, waitFor } from '@ringway/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startBeside, startExample } from './support/examples.ts';
import { Person } from './support/person.ts';
import { run } from './support/run.ts';

const root = join(import.meta.dirname, '..');
const PYTHON = 'python3';
const DONE = { code: 0, signal: null };

/** Whoever the examples' messages go to, on a cluster of `ringway dev`; and all that they said, in order. */
async function listener(page: string, userId: string): Promise<{ readonly heard: unknown[] }> {
  const client = new RingwayClient({ locator: page.replace(/\/$/, ''), userId });
  const heard: unknown[] = [];
  client.on('message', ({ data }) => heard.push(data));
  // the home of `all` may be the node that goes, and its log is in memory
  client.on('gap', (gap) => gap.channel === 'all' || heard.push(gap));
  onTestFinished(() => client.close());
  await client.connect();
  return { heard };
}

/** The page of the example's own cluster. */
async function pageOf(example: RunningProcess): Promise<string> {
  onTestFinished(() => example[Symbol.asyncDispose]());
  const [, page = ''] = await example.waitForOutput(/; see (http:\S+)/, 30_000);
  return page;
}

describe('examples/class', () => {
  it('whom the school put into the class hears it, also what was said while they were away, until they leave', async () => {
    const secret = Buffer.alloc(32, 'class').toString('base64');
    const example = await startExample('class', { RINGWAY_AUTH_KEYS: `base64:${secret}` });
    onTestFinished(() => example[Symbol.asyncDispose]());
    expect(await example.exited).toEqual(DONE);
    const heard = (name: string, channel: string) =>
      [...example.output.matchAll(new RegExp(`^${name} hears in ${channel}, (.*)$`, 'gm'))].map(
        ([, said]) => said,
      );
    const lesson = ['good morning', 'question 1', 'question 2'].map((text) => `user:ito: ${text}`);
    expect(heard('alice', 'group:class-7')).toEqual([...lesson, 'user:ito: results are out']);
    expect(heard('bob', 'group:class-7')).toEqual(lesson);
    expect(heard('bob', 'user:bob')).toEqual(['user:ito: where are you?', 'user:ito: goodbye']);
    expect(heard('ito', 'user:ito')).toEqual(['user:alice: good morning, Mr. Ito']);
    expect(example.output).toContain('alice may not speak to group:class-7: forbidden\n');
    expect(example.output).not.toContain('lost');
  });
});

describe('examples/support-desk', () => {
  it('each agent hears each event once, those of a ticket in order; what is no event is set aside', async () => {
    const kafka = await startKafka();
    onTestFinished(() => kafka[Symbol.asyncDispose]());
    const example = await startExample('support-desk', { KAFKA_BROKERS: kafka.address });
    onTestFinished(() => example[Symbol.asyncDispose]());
    expect(await example.exited).toEqual(DONE);
    for (const agent of ['anna', 'ben']) {
      const heard = [...example.output.matchAll(new RegExp(`^${agent} +(\\d-\\d):`, 'gm'))].map(
        ([, id]) => id,
      );
      expect(heard.filter((id) => id?.startsWith('7'))).toEqual(['7-1', '7-2', '7-3']);
      expect(heard.filter((id) => id?.startsWith('8'))).toEqual(['8-1', '8-2', '8-3']);
    }
    expect(example.output).toMatch(/"reason":"not_json".*"msg":"set aside"/);
    const dead = await run('kcat', ['-C', '-e', '-q', '-b', kafka.address, '-t', 'tickets.dead']);
    expect(dead).toEqual({ code: 0, output: 'no event at all\n' });
  });

  it('brings a broker along where it is given none', async () => {
    const example = await startExample('support-desk');
    onTestFinished(() => example[Symbol.asyncDispose]());
    expect(await example.exited).toEqual(DONE);
    expect(example.output).toContain('ben    8-3: closed');
  });
});

describe('examples/python-push', () => {
  it('publishes to the owner, and what is sent again is stored once', async () => {
    const example = await startBeside(PYTHON, 'examples/python-push/push.py', 'alice', '--every', '0');
    onTestFinished(() => example[Symbol.asyncDispose]());
    expect(await example.exited).toEqual(DONE);
    expect(example.output).toMatch(/^invoice 3: message 3 of user:alice, by node-1, reached 0 sessions$/m);
    expect(example.output).toMatch(/^invoice 3: was there already, as message 3$/m);
  });

  it('goes on while nodes come and go, and the user hears all of it, once, in order', async () => {
    const script = ['examples/python-push/push.py', 'alice', '--times', '40', '--every', '0.1'];
    const example = await startBeside(PYTHON, ...script);
    const page = await pageOf(example);
    const alice = await listener(page, 'alice');
    await waitFor(() => alice.heard.length >= 3, { message: 'the first invoices' });
    expect((await fetch(`${page}dev/nodes`, { method: 'POST' })).status).toBe(201);
    expect((await fetch(`${page}dev/nodes/node-1`, { method: 'DELETE' })).status).toBe(204);
    await example.waitForOutput(/^invoice 40: message/m, 20_000);
    const heard = () => alice.heard.map((data) => (data as { readonly invoice?: number }).invoice);
    const numbers = await waitFor(() => heard().includes(40) && heard(), { message: 'the last one' });
    // it may have come to listen when some had been sent
    const first = numbers[0] ?? 0;
    expect(numbers).toEqual(Array.from({ length: 41 - first }, (_, i) => first + i));
    expect(example.output).not.toMatch(/invoice 40: .*by node-1/);
    expect(await example.exited).toEqual(DONE);
  });

  it('does what it should about old tokens, gone owners and repeated ids', async () => {
    const example = await startBeside(PYTHON, 'examples/python-push/test_push.py');
    onTestFinished(() => example[Symbol.asyncDispose]());
    expect(await example.exited).toEqual(DONE);
    expect(example.output).toMatch(/Ran 6 tests[\s\S]*OK/);
  });
});

describe('examples/python-owner', () => {
  it('reproduces the vectors', async () => {
    const { code, output } = await run(PYTHON, [join(root, 'examples/python-owner/test_ring.py')]);
    expect(output).toMatch(/^(\d+) of \1 vectors hold\n$/);
    expect(code).toBe(0);
  });

  it('computes the owner that the locator names, and pushes there', async () => {
    const example = await startBeside(PYTHON, 'examples/python-owner/push.py', 'user:alice', '--every', '0');
    onTestFinished(() => example[Symbol.asyncDispose]());
    expect(await example.exited).toEqual(DONE);
    expect(example.output).toContain(
      'ring 07d5cb3fc4c07818 of node-1, node-2, node-3\nuser:alice: node-1 then node-3\n',
    );
    expect(example.output).toMatch(/^3: message 3, by node-1, reached 0 sessions$/m);
  });

  it('goes on when its locator and then the owner are killed, by the successor', async () => {
    await using cluster = await startCluster({ locators: 2 });
    const alice = new Person(cluster, 'alice');
    onTestFinished(() => alice.client.close());
    await alice.client.connect();
    const example = await launch({
      command: PYTHON,
      args: [join(root, 'examples/python-owner/push.py'), 'user:alice', '--times', '40', '--every', '0.1'],
      env: {
        LOCATOR_INTERNAL_URL: cluster.locator.internalUrl,
        RINGWAY_CLUSTER: cluster.name,
        RINGWAY_CLUSTER_KEYS: cluster.keys.cluster,
      },
      name: 'python-owner',
    });
    onTestFinished(() => example[Symbol.asyncDispose]());
    const [, owner = '', successor = ''] = await example.waitForOutput(/^user:alice: (\S+) then (\S+)$/m);
    await alice.hears({ number: 3 });
    await cluster.locator.kill();
    await alice.hears({ number: 10 });
    await cluster.node(owner).kill();
    expect(await example.exited).toEqual(DONE);
    expect(example.output).toMatch(new RegExp(`^40: message \\d+, by ${successor}, `, 'm'));
    expect(example.output.match(/^\d+: message/gm)).toHaveLength(40);
    await alice.hears({ number: 40 });
  });
});
