import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Cluster,
  type ClusterProcess,
  type ConsulAgent,
  type ConsulCluster,
  type Env,
  type RedisServer,
  startConsulClient,
  startConsulCluster,
  startRedis,
} from '@ringway/testkit';
import { PeerNetwork } from '../support/peer-network.ts';

export type LogKind = 'memory' | 'redis';

export interface WorldOptions {
  readonly log: LogKind;
  readonly nodes: number;
  readonly locators: number;
  readonly nodeEnv?: Env;
}

export const CONSUL_SERVERS = 3;
export const CONSUL_AGENTS = 2;

/**
 * What is to be broken: three Consul servers and two agents before them, as operators run it; Redis where the log is
 * there; locators and nodes, each asking one of the agents; and between the nodes a network that can be cut.
 */
export class World implements AsyncDisposable {
  readonly servers: ConsulCluster;
  readonly agents: readonly ConsulAgent[];
  readonly redis: RedisServer | undefined;
  readonly network: PeerNetwork;
  readonly cluster: Cluster;
  readonly #scope: AsyncDisposableStack;

  constructor(
    parts: Pick<World, 'servers' | 'agents' | 'redis' | 'network' | 'cluster'>,
    scope: AsyncDisposableStack,
  ) {
    this.servers = parts.servers;
    this.agents = parts.agents;
    this.redis = parts.redis;
    this.network = parts.network;
    this.cluster = parts.cluster;
    this.#scope = scope;
  }

  /** One more node, under that id; resolves once it is ready. */
  async addNode(id: string): Promise<ClusterProcess> {
    return this.cluster.addNode({ RINGWAY_NODE_ID: id, ...this.#agentOf(this.cluster.nodes.length) });
  }

  async addLocator(): Promise<ClusterProcess> {
    return this.cluster.addLocator(this.#agentOf(this.cluster.locators.length));
  }

  /** The agent ends and comes back without anything it knew, under the name that it had. */
  async emptyAgent(agent: ConsulAgent): Promise<() => Promise<void>> {
    await agent.kill();
    await rm(join(this.servers.data, agent.name), { recursive: true, force: true });
    return () => agent.start();
  }

  /** Processes of the command that run now. */
  get processes(): readonly ClusterProcess[] {
    return [...this.cluster.nodes, ...this.cluster.locators].filter(({ running }) => running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }

  #agentOf(index: number): Env {
    const agent = this.agents[index % this.agents.length] as ConsulAgent;
    return { RINGWAY_CONSUL_URL: agent.address };
  }
}

/** Starts all of it; resolves once every process knows every node. */
export async function startWorld(options: WorldOptions): Promise<World> {
  await using scope = new AsyncDisposableStack();
  const servers = scope.use(await startConsulCluster());
  const agents = await Promise.all(
    Array.from({ length: CONSUL_AGENTS }, (_, i) =>
      // The id is kept on disk too: without one of its own, an agent that comes back empty is a stranger with a name
      // that is taken.
      startConsulClient(servers, { name: `agent-${i + 1}`, args: ['-node-id', randomUUID()] }),
    ),
  );
  for (const agent of agents) scope.use(agent);
  const redis = options.log === 'redis' ? scope.use(await startRedis({ persistent: true })) : undefined;
  const network = scope.use(new PeerNetwork());
  const cluster = scope.use(
    new Cluster(
      {
        consul: agents[0] as ConsulAgent,
        peerAddress: (id, port) => network.front(id, port),
        nodeEnv: {
          ...(redis && { RINGWAY_LOG: 'redis', RINGWAY_REDIS_URL: redis.url }),
          // nobody is to be told of a gap only because the log was short
          RINGWAY_LOG_MESSAGES: '100000',
          ...options.nodeEnv,
        },
      },
      agents[0] as ConsulAgent,
    ),
  );
  const world = new World({ servers, agents, redis, network, cluster }, scope.move());
  try {
    for (let i = 1; i <= options.locators; i++) await world.addLocator();
    for (let i = 1; i <= options.nodes; i++) await world.addNode(`node-${i}`);
    await cluster.settled();
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
  return world;
}
