import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createTestCa } from '../src/certificates.ts';
import { startCluster } from '../src/cluster.ts';

describe('cluster', () => {
  it('is real: Consul, a locator and two nodes as processes, over wss', async () => {
    await using authority = await createTestCa();
    await using cluster = await startCluster({ nodes: 2, ca: authority });
    expect((await cluster.ringMembers()).sort()).toEqual(['node-1', 'node-2']);

    const { url, nodeId } = await cluster.route('alice');
    expect(url).toMatch(/^wss:/);
    const socket = new WebSocket(url, { ca: authority.ca });
    const [welcome] = (await once(socket, 'message')) as [Buffer];
    expect(JSON.parse(welcome.toString())).toMatchObject({ type: 'welcome', userId: 'alice', nodeId });
    expect(await cluster.node(nodeId).metric('ringway_sessions')).toBe(1);
    socket.terminate();

    await cluster.node('node-2').stop();
    await cluster.settled();
    expect(await cluster.ringMembers()).toEqual(['node-1']);
    await cluster.node('node-2').start();
    await cluster.settled();
  });
});
