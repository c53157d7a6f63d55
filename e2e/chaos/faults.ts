import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterProcess, type ConsulAgent, waitFor } from '@ringway/testkit';
import type { Fault } from './scenario.ts';
import { slowClient } from './slow-client.ts';
import type { World } from './world.ts';

/** Longest time for a node that was told to go, in milliseconds: its grace period, and room for a busy machine. */
const GOING_MS = 40_000;

/** Does what a fault says, and undoes it when its time is over. Rejects when something did not do what it should. */
export async function inflict(world: World, fault: Fault): Promise<void> {
  const { cluster, network, servers, agents, redis } = world;
  switch (fault.kind) {
    case 'node-add':
      await world.addNode(fault.node);
      return;
    case 'node-stop': {
      const node = cluster.node(fault.node);
      node.process.signal('SIGTERM');
      return gone(node);
    }
    case 'node-drain': {
      const node = cluster.node(fault.node);
      const authorization = `Bearer ${cluster.clusterToken(node.id, 'admin')}`;
      const answer = await node.fetch('internal', '/drain', { method: 'POST', headers: { authorization } });
      if (!answer.ok) throw new Error(`POST /drain: ${answer.status} ${await answer.text()}`);
      return gone(node);
    }
    case 'node-kill': {
      const node = cluster.node(fault.node);
      await node.kill();
      await sleep(fault.forMs);
      return node.start();
    }
    case 'node-freeze':
      return frozen(cluster.node(fault.node), fault.forMs);
    case 'link-cut':
    case 'link-stall': {
      const [one, other] = fault.pair;
      if (fault.kind === 'link-cut') network.cut(one, other);
      else network.stall(one, other);
      await sleep(fault.forMs);
      return network.heal(one, other);
    }
    case 'node-isolate': {
      const others = cluster.nodes.map(({ id }) => id).filter((id) => id !== fault.node);
      for (const other of others) network.stall(fault.node, other);
      await sleep(fault.forMs);
      for (const other of others) network.heal(fault.node, other);
      return;
    }
    case 'consul-server-kill':
      return restarted(servers.agents[fault.server] as ConsulAgent, fault.forMs);
    case 'consul-leader-kill': {
      const leader = await waitFor(
        () => servers.leader(servers.agents.find(({ process }) => process.running)),
        {
          message: 'a leader to kill',
          timeout: 20_000,
        },
      );
      return restarted(leader, fault.forMs);
    }
    case 'consul-agent-empty': {
      const again = await world.emptyAgent(agents[fault.agent] as ConsulAgent);
      await sleep(fault.forMs);
      return again();
    }
    case 'consul-agent-freeze':
      return frozen(agents[fault.agent] as ConsulAgent, fault.forMs);
    case 'locator-kill': {
      const locator = cluster.locators[fault.locator] as ClusterProcess;
      await locator.kill();
      await sleep(fault.forMs);
      return locator.start();
    }
    case 'redis-restart':
      await redis?.kill();
      await sleep(fault.forMs);
      return redis?.start();
    case 'redis-freeze':
      return redis && frozen(redis, fault.forMs);
    case 'slow-client':
      return slowClient(cluster, fault.forMs);
    default:
      fault satisfies never;
  }
}

async function frozen(process: { freeze(): void; thaw(): void }, forMs: number): Promise<void> {
  process.freeze();
  await sleep(forMs);
  process.thaw();
}

async function restarted(agent: ConsulAgent, forMs: number): Promise<void> {
  await agent.kill();
  await sleep(forMs);
  await agent.start();
}

/** A node that was told to go ends by itself, with 0. */
async function gone(node: ClusterProcess): Promise<void> {
  await waitFor(() => !node.running, { timeout: GOING_MS, interval: 50, message: `${node.id} has ended` });
  const { code, signal } = await node.process.exited;
  if (code !== 0) throw new Error(`${node.id} ended with ${code ?? signal}:\n${node.output.slice(-2_000)}`);
}
