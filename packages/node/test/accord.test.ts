import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Member } from '@ringway/membership';
import { createLogger } from '@ringway/service';
import { expect, it } from 'vitest';
import { Accord, type MixedClusterError, type Scheme } from '../src/accord.ts';

/** What a node of this scheme is told that joins a cluster of one that says so of itself; undefined where it may. */
async function joining(scheme: Scheme, said: object): Promise<string | undefined> {
  const server = createServer((_request, response) =>
    response.end(JSON.stringify({ ...said, incarnation: 'a1' })),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const internalUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const accord = new Accord({
    self: { id: 'node-2', incarnation: 'b1' },
    scheme,
    ca: undefined,
    logger: createLogger({ name: 'test', level: 'silent', pretty: false }),
    onDiscord() {},
  });
  try {
    await accord.join([{ id: 'node-1', incarnation: 'a1', internalUrl } as Member]);
    return undefined;
  } catch (error) {
    return (error as MixedClusterError).message;
  } finally {
    accord.stop();
    server.close();
  }
}

const ours = { router: 'ring', log: 'redis', groups: 'redis' };

it('a node joins those that are set alike, and those that know nothing of groups', async () => {
  expect(await joining(ours, ours)).toBeUndefined();
  expect(await joining(ours, { router: 'ring', log: 'redis' })).toBeUndefined();
});

it('a node that is set otherwise is told how, and nothing that the other one has not said', async () => {
  expect(await joining(ours, { ...ours, groups: 'memory' })).toContain(
    'node-1 runs with RINGWAY_ROUTER=ring, RINGWAY_LOG=redis and no RINGWAY_REDIS_URL, this node is set to ' +
      'RINGWAY_ROUTER=ring, RINGWAY_LOG=redis and a RINGWAY_REDIS_URL: ',
  );
  expect(await joining(ours, { router: 'directory', log: 'redis' })).toContain(
    'node-1 runs with RINGWAY_ROUTER=directory and RINGWAY_LOG=redis, this node',
  );
});
