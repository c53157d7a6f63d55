import { describe, expect, it } from 'vitest';
import { ringway } from './support/run.ts';

const key = (name: string) => `${name}-`.padEnd(40, 'x');
const shared = { RINGWAY_TICKET_KEYS: key('ticket'), RINGWAY_CLUSTER_KEYS: key('cluster') };
const node = { ...shared, RINGWAY_NODE_ID: 'node-1' };
const locator = { ...shared, RINGWAY_AUTH_KEYS: key('auth') };

interface Case {
  readonly what: string;
  readonly command: 'locator' | 'node';
  readonly env: Readonly<Record<string, string>>;
  /** What is named, and what was expected. */
  readonly said: readonly RegExp[];
}

const CASES: readonly Case[] = [
  {
    what: 'several that are missing or wrong at once',
    command: 'node',
    env: { ...shared, RINGWAY_WEIGHT: 'heavy', RINGWAY_PING_INTERVAL: '25' },
    said: [
      /RINGWAY_NODE_ID: missing; expected/,
      /RINGWAY_WEIGHT.*heavy.*number/,
      /RINGWAY_PING_INTERVAL.*duration/,
    ],
  },
  {
    what: 'a public URL without TLS',
    command: 'node',
    env: { ...node, RINGWAY_PUBLIC_URL: 'ws://ws.example.com' },
    said: [/RINGWAY_PUBLIC_URL.*wss/],
  },
  {
    what: 'listeners for others without the URLs by which they come',
    command: 'node',
    env: { ...node, RINGWAY_PUBLIC_LISTEN: '0.0.0.0:0', RINGWAY_INTERNAL_LISTEN: '[::]:0' },
    said: [
      /RINGWAY_PUBLIC_URL: missing; expected.*0\.0\.0\.0/,
      /RINGWAY_INTERNAL_URL: missing; expected.*::/,
      /^(?!.*draining)/s,
    ],
  },
  {
    what: 'a name that nobody knows',
    command: 'node',
    env: { ...node, RINGWAY_TICKETS_KEYS: 'x' },
    said: [/RINGWAY_TICKETS_KEYS.*RINGWAY_TICKET_KEYS/],
  },
  {
    what: 'a key that is too short',
    command: 'locator',
    env: { ...locator, RINGWAY_TICKET_KEYS: 'my-short-secret' },
    said: [/RINGWAY_TICKET_KEYS.*32 bytes/],
  },
  {
    what: 'one key for two purposes',
    command: 'locator',
    env: { ...locator, RINGWAY_AUTH_KEYS: shared.RINGWAY_TICKET_KEYS },
    said: [/RINGWAY_AUTH_KEYS/, /RINGWAY_TICKET_KEYS/],
  },
  {
    what: 'no authentication away from loopback',
    command: 'locator',
    env: { ...shared, RINGWAY_INSECURE: '1', RINGWAY_PUBLIC_LISTEN: '0.0.0.0:0' },
    said: [/RINGWAY_PUBLIC_LISTEN.*loopback.*RINGWAY_INSECURE/],
  },
  {
    what: 'no authentication away from loopback, of a node',
    command: 'node',
    env: {
      ...node,
      RINGWAY_INSECURE: '1',
      RINGWAY_INTERNAL_LISTEN: '0.0.0.0:0',
      RINGWAY_INTERNAL_URL: 'http://10.0.0.1:8091',
    },
    said: [/RINGWAY_INTERNAL_LISTEN.*loopback.*RINGWAY_INSECURE/],
  },
  {
    what: 'a file that is not there',
    command: 'locator',
    env: { ...locator, RINGWAY_PUBLIC_CERT: '/nowhere/cert.pem', RINGWAY_PUBLIC_KEY: '/nowhere/key.pem' },
    said: [/RINGWAY_PUBLIC_CERT.*nowhere\/cert\.pem/],
  },
];

describe.concurrent('a bad setting', () => {
  it.for(CASES)(
    'is named with what was expected, and nothing starts: $what',
    async (one, { expect: its }) => {
      const { code, output } = await ringway([one.command], one.env);
      for (const said of one.said) its(output).toMatch(said);
      for (const secret of ['my-short-secret', ...Object.values(shared)]) its(output).not.toContain(secret);
      its(code).toBe(2);
    },
  );
});

describe('--help', () => {
  it('lists the settings', async () => {
    const { code, output } = await ringway(['node', '--help']);
    expect(code).toBe(0);
    expect(output).toMatch(/RINGWAY_NODE_ID \(required\)/);
  });
});
