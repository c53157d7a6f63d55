import { MemoryRegistry, memoryMembership } from '@ringway/membership';
import { createLogger, readSettings, SettingsError } from '@ringway/service';
import { expect, it } from 'vitest';
import { createNode, nodeSettings } from '../src/index.ts';
import { clusterKeys, ticketKeys } from './support/cluster.ts';

it.each(['directory', 'broadcast'])('a %s needs the URL of a Redis, and says so', (router) => {
  const settings = readSettings(nodeSettings, {
    RINGWAY_NODE_ID: 'node-1',
    RINGWAY_TICKET_KEYS: 'ticket-key-ticket-key-ticket-key-0001',
    RINGWAY_CLUSTER_KEYS: 'cluster-key-cluster-key-cluster-1',
    RINGWAY_ROUTER: router,
  });
  const logger = createLogger({ name: 'node-1', level: 'silent', pretty: false });
  const membership = memoryMembership(new MemoryRegistry());
  const create = () => createNode({ settings, membership, ticketKeys, clusterKeys, logger });
  expect(create).toThrow(SettingsError);
  expect(create).toThrow(
    `RINGWAY_REDIS_URL: expected a URL like redis://host:6379, since RINGWAY_ROUTER is ${router}`,
  );
});
