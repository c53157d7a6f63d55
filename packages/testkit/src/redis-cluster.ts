import { freePorts } from './ports.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { waitFor } from './wait-for.ts';

const SLOTS = 16_384;

/** A Redis Cluster of so many primaries, three by default, without replicas. Resolves once all slots are served. */
export async function startRedisCluster(count = 3): Promise<RedisCluster> {
  const buses = await freePorts(count);
  const started = await Promise.allSettled(
    buses.map((bus) =>
      startRedis({
        args: ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`, '--cluster-config-file', 'nodes.conf'],
      }),
    ),
  );
  const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const cluster = new RedisCluster(servers);
  try {
    for (const one of started) if (one.status === 'rejected') throw one.reason;
    await join(servers, buses);
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

async function join(servers: readonly RedisServer[], buses: readonly number[]): Promise<void> {
  const [first] = servers;
  for (const [i, server] of servers.entries()) {
    const [from, to] = [i, i + 1].map((n) => Math.floor((n * SLOTS) / servers.length)) as [number, number];
    await server.command('CLUSTER', 'ADDSLOTSRANGE', from, to - 1);
    if (i > 0 && first) await server.command('CLUSTER', 'MEET', '127.0.0.1', first.port, buses[0] ?? 0);
  }
  for (const server of servers) {
    await waitFor(
      async () => {
        const info = String(await server.command('CLUSTER', 'INFO'));
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${servers.length}`);
      },
      { message: `the cluster as ${server.port} sees it`, timeout: 20_000 },
    );
  }
}

/** Several redis-servers that share the slots. */
export class RedisCluster implements AsyncDisposable {
  readonly servers: readonly RedisServer[];

  constructor(servers: readonly RedisServer[]) {
    this.servers = servers;
  }

  /** URLs of all nodes, separated by commas. */
  get urls(): string {
    return this.servers.map(({ url }) => url).join(',');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }
}
