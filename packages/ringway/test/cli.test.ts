import { join } from 'node:path';
import { KeyFamily, openCompact, verifyClusterToken } from '@ringway/service';
import { describe, expect, test } from 'vitest';
import { commandNames, run } from '../src/index.ts';

const KEYS = { RINGWAY_CLUSTER_KEYS: 'a-cluster-key-for-tests-of-32-bytes!' };
const TICKETS = { RINGWAY_TICKET_KEYS: 'a-ticket-key-for-tests-of-32-bytes!!' };

const INGEST = {
  RINGWAY_INGEST_SOURCE: 'redis',
  RINGWAY_INGEST_QUEUE: 'orders',
  RINGWAY_INGEST_MAPPING: join(import.meta.dirname, 'fixtures/mapping.json'),
};

async function ringway(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let out = '';
  let err = '';
  const status = await run(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env,
  });
  return { status, out, err };
}

describe('help', () => {
  test('names every command', async () => {
    const { status, out } = await ringway(['--help']);
    expect(status).toBe(0);
    for (const name of commandNames) expect(out).toContain(`\n  ${name}`);
  });

  test.each(commandNames.map((name) => [name]))('ringway %s --help', async (name) => {
    const { status, out, err } = await ringway([name, '--help']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(new RegExp(`^ringway ${name}`));
    expect(out).toContain('--help');
    expect((await ringway(['help', name])).out).toBe(out);
  });

  test.each([
    ['node', ['RINGWAY_NODE_ID', 'RINGWAY_CONSUL_URL', 'RINGWAY_CHECK_URL', 'RINGWAY_TICKET_KEYS_FILE']],
    ['locator', ['RINGWAY_AUTH_KEYS', 'RINGWAY_CONSUL_TOKEN', 'RINGWAY_ROUTE_RATE']],
    ['push', ['RINGWAY_CLUSTER_KEYS']],
    [
      'ingest',
      ['RINGWAY_INGEST_MAPPING', 'RINGWAY_CONSUL_URL', 'RINGWAY_INGEST_REDIS_URL_FILE', 'RINGWAY_STOP_GRACE'],
    ],
  ])('of %s lists its settings', async (name, settings) => {
    const { out } = await ringway([name, '--help']);
    for (const setting of settings) expect(out).toContain(setting);
  });
});

describe('a wrong command line ends with 2 and says what was expected', () => {
  test.each([
    [[], /Commands:/],
    [['dve'], /unknown command dve: expected one of dev, locator,/],
    [['--nodes'], /unknown option --nodes/],
    [['dev', '--node', '3'], /dev: unknown option --node: expected one of --nodes, --port,/],
    [['dev', '--nodes'], /dev: --nodes: expected a value \(N\)/],
    [['dev', '--nodes', '0'], /--nodes 0: expected an integer from 1 to 12/],
    [['dev', '--nodes', 'three'], /--nodes three: expected an integer/],
    [['dev', '--port', '70000'], /--port 70000: expected an integer from 0 to 65535/],
    [['dev', '--host', '0.0.0.0'], /--host 0\.0\.0\.0: expected a loopback address/],
    [['dev', '--verbose=yes'], /--verbose: takes no value/],
    [['dev', 'now'], /expected no arguments, got "now"/],
    [['dev', '--'], /dev: --: expected COMMAND... behind it/],
    [['dev', '--origin', 'http://evil.example'], /--origin http:\/\/evil.example: expected one on loopback/],
    [['dev', '--origin', 'http://127.0.0.1:3000/'], /--origin .*: expected one on loopback/],
    [['route'], /route: expected USER, got nothing/],
    [['route', 'alice', '--locator', 'alice'], /--locator alice: expected a URL that begins with http:/],
    [['drain'], /drain: expected NODE, got nothing/],
    [['drain', 'node-1', '--cancel=now'], /--cancel: takes no value/],
    [['push', 'alice'], /push: expected USER JSON, got "alice"/],
    [['push', 'alice', 'hello'], /JSON "hello": expected JSON/],
    [['token', '--all'], /--all: expected only with --user/],
    [['token', '--user', 'alice', '--cap', '{'], /--cap \{: expected JSON/],
    [['token', '--user', 'alice', '--cap', '{"publish":"all"}'], /--cap .*publish/],
    [['token', '--user', 'alice', '--sub', 'bob'], /--sub: expected only without --user/],
    [['token', '--scope', 'root'], /--scope root: expected one of peer, push, admin/],
  ])('%j', async (argv, message) => {
    const { status, out, err } = await ringway(argv, KEYS);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(message);
  });
});

describe('a bad setting is named, and nothing starts', () => {
  test.each([
    ['token', {}, /RINGWAY_CLUSTER_KEYS: missing; expected secrets /],
    [
      'token',
      { RINGWAY_CLUSTER_KEYS: 'short' },
      /RINGWAY_CLUSTER_KEYS: expected secrets of at least 32 bytes/,
    ],
    ['node', { ...KEYS, ...TICKETS }, /RINGWAY_NODE_ID: missing; expected 1 to 64 letters/],
    [
      'node',
      { ...KEYS, ...TICKETS, RINGWAY_NODE_ID: 'n', RINGWAY_WEIGHT: 'big' },
      /RINGWAY_WEIGHT="big": expected a number/,
    ],
    [
      'node',
      { ...KEYS, ...TICKETS, RINGWAY_NODE_ID: 'n', RINGWAY_WIEGHT: '2' },
      /RINGWAY_WIEGHT: unknown setting; did you mean RINGWAY_WEIGHT\?/,
    ],
    [
      'node',
      { ...KEYS, ...TICKETS, RINGWAY_NODE_ID: 'n', RINGWAY_CONSUL_URL: 'consul' },
      /RINGWAY_CONSUL_URL="consul": expected a URL/,
    ],
    [
      'node',
      { ...KEYS, ...TICKETS, RINGWAY_NODE_ID: 'n', RINGWAY_CONSUL_URL: 'http://user:sesame@h' },
      /RINGWAY_CONSUL_URL: expected an address without path, query or user/,
    ],
    [
      'node',
      { ...KEYS, ...TICKETS, RINGWAY_NODE_ID: 'n', RINGWAY_INTERNAL_CA: '/nowhere' },
      /RINGWAY_INTERNAL_CA="\/nowhere": expected a file of PEM certificates/,
    ],
    [
      'node',
      {
        ...KEYS,
        ...TICKETS,
        RINGWAY_NODE_ID: 'n',
        RINGWAY_LOG: 'redis',
        RINGWAY_REDIS_URL: 'rediss://h',
        RINGWAY_REDIS_CA: '/etc/hostname',
      },
      /RINGWAY_REDIS_CA="\/etc\/hostname": expected a file of PEM certificates/,
    ],
    [
      'node',
      { ...KEYS, ...TICKETS, RINGWAY_NODE_ID: 'n', RINGWAY_PING_INTERVAL: '5s' },
      /RINGWAY_PING_TIMEOUT="10000ms": expected at most RINGWAY_PING_INTERVAL, which is 5000 ms/,
    ],
    [
      'node',
      { ...KEYS, ...TICKETS, RINGWAY_NODE_ID: 'n', RINGWAY_CHECK_DEREGISTER_AFTER: '5s' },
      /RINGWAY_CHECK_DEREGISTER_AFTER/,
    ],
    [
      'node',
      { ...KEYS, RINGWAY_TICKET_KEYS: KEYS.RINGWAY_CLUSTER_KEYS, RINGWAY_NODE_ID: 'n' },
      /secrets of its own/,
    ],
    [
      // a node's settings are passed over, and what is empty is absent
      'locator',
      {
        ...KEYS,
        ...TICKETS,
        RINGWAY_ROUTER: 'ring',
        RINGWAY_LOG: 'redis',
        RINGWAY_CHECK_URL: '',
        RINGWAY_X: '',
      },
      /^ringway: bad setting: RINGWAY_AUTH_KEYS: expected exactly one of RINGWAY_AUTH_KEYS/,
    ],
    [
      'locator',
      { ...KEYS, ...TICKETS, RINGWAY_ROUTRE: 'ring' },
      /RINGWAY_ROUTRE: unknown setting; did you mean RINGWAY_ROUTER\?/,
    ],
    [
      'locator',
      { ...KEYS, ...TICKETS, RINGWAY_MEMBERSHIP: 'zookeeper' },
      /RINGWAY_MEMBERSHIP="zookeeper": expected one of consul/,
    ],
    [
      'locator',
      { ...KEYS, ...TICKETS, RINGWAY_INSECURE: '1', RINGWAY_PUBLIC_LISTEN: '0.0.0.0:1' },
      /RINGWAY_PUBLIC_LISTEN/,
    ],
    [
      'ingest',
      KEYS,
      /3 bad settings:\n {2}RINGWAY_INGEST_SOURCE: missing; expected one of redis, kafka, rabbitmq/,
    ],
    [
      'ingest',
      { ...KEYS, ...INGEST, RINGWAY_INGEST_MAX_IN_FLIGHT: '0' },
      /RINGWAY_INGEST_MAX_IN_FLIGHT="0": expected an integer, from 1 to 65535/,
    ],
    [
      'ingest',
      { ...KEYS, ...INGEST, RINGWAY_INGEST_MAPPING: '/nowhere.json' },
      /RINGWAY_INGEST_MAPPING="\/nowhere\.json": expected a file that can be read/,
    ],
    [
      'ingest',
      { ...KEYS, ...INGEST, RINGWAY_INGEST_MAPPING: join(import.meta.dirname, '../package.json') },
      /RINGWAY_INGEST_MAPPING=.*: expected a mapping .*; name: no such field; there are to, data, id/,
    ],
    [
      'ingest',
      { ...KEYS, ...INGEST, RINGWAY_INGEST_REDIS_URL: 'http://user:short@redis' },
      /RINGWAY_INGEST_REDIS_URL: expected a URL that begins with redis:\/\/ or rediss:\/\//,
    ],
    [
      'ingest',
      { ...KEYS, ...INGEST, RINGWAY_INGEST_SOURCE: 'kafka', RINGWAY_INGEST_KAFKA_SASL: 'PLAIN' },
      /RINGWAY_INGEST_KAFKA_USER: expected a text, since RINGWAY_INGEST_KAFKA_SASL is given/,
    ],
  ])('%s with %j', async (name, env, message) => {
    const { status, out, err } = await ringway([name], env);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(message);
    expect(err).not.toContain('short');
  });
});

test('version', async () => {
  const { status, out } = await ringway(['--version']);
  expect(status).toBe(0);
  expect(out).toMatch(/^ringway \d+\.\d+\.\d+, protocol 1 to 1, ring format \d+\n$/);
});

test('token', async () => {
  const { out } = await ringway(
    ['token', '--scope', 'admin', '--aud', 'node-2', '--sub', 'billing', '--ttl', '5'],
    KEYS,
  );
  const verified = verifyClusterToken(KeyFamily.parse('test', KEYS.RINGWAY_CLUSTER_KEYS), out.trim(), {
    now: Date.now(),
    issuer: 'ringway',
    audience: 'node-2',
  });
  expect(verified).toMatchObject({ ok: true, claims: { sub: 'billing', scope: 'admin' } });
});

test.each([
  [[], undefined],
  [['--all'], { publish: ['*'], join: ['*'], presence: ['*'] }],
  [['--cap', '{"publish":["user:*"]}'], { publish: ['user:*'] }],
])('token of a user with %j', async (more, cap) => {
  const env = { RINGWAY_AUTH_KEYS: 'an-auth-key-for-tests-of-32-bytes!!!' };
  const before = Math.floor(Date.now() / 1000);
  const { out, err } = await ringway(['token', '--user', 'alice', '--ttl', '60', ...more], env);
  expect(err).toBe('');
  const opened = openCompact(KeyFamily.parse('test', env.RINGWAY_AUTH_KEYS), undefined, out.trim());
  if (!opened.ok) throw new Error(opened.reason);
  const { sub, exp } = opened.claims;
  expect(sub).toBe('alice');
  expect(Number(exp)).toBeGreaterThanOrEqual(before + 60);
  expect(opened.claims['cap']).toEqual(cap);
});

test('a locator that is not there is told in a line', async () => {
  const drain = await ringway(['drain', 'node-1', '--locator', 'http://127.0.0.1:1'], KEYS);
  expect(drain.status).toBe(1);
  expect(drain.err).toMatch(/^ringway drain: http:\/\/127\.0\.0\.1:1 does not answer: .+\n$/);
  const { status, err } = await ringway(['route', 'alice', '--locator', 'http://127.0.0.1:1']);
  expect(status).toBe(1);
  expect(err).toMatch(/^ringway route: http:\/\/127\.0\.0\.1:1 does not answer: .+\n$/);
});

describe('without --locator', () => {
  const env = { ...KEYS, LOCATOR_URL: 'http://127.0.0.1:1/', LOCATOR_INTERNAL_URL: 'http://127.0.0.1:2' };

  test.each([
    [['route', 'alice'], 'http://127.0.0.1:1'],
    [['ring'], 'http://127.0.0.1:2'],
    [['drain', 'node-1'], 'http://127.0.0.1:2'],
    [['push', 'alice', '1', '--timeout', '1'], 'http://127.0.0.1:2'],
    [['group', 'class-7', '--timeout', '1'], 'http://127.0.0.1:2'],
  ])('%j asks the locator that ringway dev exports', async (argv, url) => {
    const { status, err } = await ringway(argv, env);
    expect(status).toBe(1);
    expect(err).toContain(url);
  });

  test('a bad address is named by its variable', async () => {
    const { status, err } = await ringway(['ring'], { ...KEYS, LOCATOR_INTERNAL_URL: 'here' });
    expect(status).toBe(2);
    expect(err).toContain('ring: LOCATOR_INTERNAL_URL here: expected a URL that begins with http://');
  });
});

test.each(['all', 'user:alice', 'group:class-7'])('push to a user %s hints at --channel', async (to) => {
  const argv = ['push', to, '1', '--locator', 'http://127.0.0.1:1', '--timeout', '1'];
  const hint = `ringway push: to the user "${to}"; for the channel ${to} add --channel\n`;
  expect((await ringway(argv, KEYS)).err).toContain(hint);
  expect((await ringway([...argv, '--channel'], KEYS)).err).not.toContain('--channel');
});
