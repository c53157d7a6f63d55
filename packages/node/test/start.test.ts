import { consulMembership } from '@ringway/membership';
import { createLogger, hmacSigner, readSettings } from '@ringway/service';
import { freePort } from '@ringway/testkit';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createNode, type Node, nodeSettings } from '../src/index.ts';
import { clusterKeys, ticketKeys } from './support/cluster.ts';

/** A node whose Consul is not there. */
async function lonely(startTimeout: string, write?: (line: string) => void): Promise<Node> {
  const settings = readSettings(nodeSettings, {
    RINGWAY_NODE_ID: 'node-1',
    RINGWAY_TICKET_KEYS: 'ticket-key-ticket-key-ticket-key-0001',
    RINGWAY_CLUSTER_KEYS: 'cluster-key-cluster-key-cluster-1',
    RINGWAY_PUBLIC_LISTEN: '127.0.0.1:0',
    RINGWAY_INTERNAL_LISTEN: '127.0.0.1:0',
    RINGWAY_START_TIMEOUT: startTimeout,
  });
  const address = `http://127.0.0.1:${await freePort()}`;
  return createNode({
    settings,
    ticketKeys,
    clusterKeys,
    logger: write
      ? pino({ level: 'info' }, { write })
      : createLogger({ name: 'node-1', level: 'silent', pretty: false }),
    membership: () => consulMembership({ address, signer: hmacSigner(clusterKeys) }),
  });
}

it('a node that finds no registry ends with the reason in its time', async () => {
  const lines: string[] = [];
  const node = await lonely('300ms', (line) => lines.push(line));
  await expect(node.start()).rejects.toMatchObject({ name: 'StartTimeoutError', code: 'start_timeout' });
  expect(await node.ended).toMatchObject({
    message: 'reading the ring from the registry took more than 0.3 s',
  });
  expect(node.state).toBe('Failed');
  // it had nobody to send away
  expect(lines.join('')).not.toContain('drain');
});

it('a node that waits for its registry stops when it is told to', async () => {
  const node = await lonely('1h');
  const started = node.start();
  started.catch(() => {});
  await node.stop();
  await expect(started).rejects.toThrow();
  expect(await node.ended).toBeUndefined();
  expect(node.state).toBe('Terminated');
});
