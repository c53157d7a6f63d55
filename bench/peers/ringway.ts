import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startCluster, startDevConsul, startRedis } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { onCore } from '../support/proc.ts';
import type { Peer, Seat, SpeechName } from './peer.ts';

/** What differs between two measured Ringways. */
interface Variant {
  readonly log?: 'memory' | 'redis';
  readonly router?: 'ring' | 'directory' | 'broadcast';
  /** Another checkout whose Ringway it is. */
  readonly root?: string;
}

/**
 * Ringway by its command: a locator and nodes, no TLS. Consul stands on the other core, uncounted; Redis, where there is one,
 * on that of the servers, and counts.
 */
function ringwayPeer(
  name: string,
  speech: SpeechName,
  { log = 'memory', router = 'ring', root }: Variant = {},
): Peer {
  return {
    name,
    speech,
    async start(nodes) {
      const consul = await startDevConsul();
      const [taskset, list, core] = onCore('load');
      if (taskset && list && core) {
        await promisify(execFile)(taskset, ['-a', '-p', list, core, String(consul.process.pid)]);
      }
      const viaRedis = log === 'redis' || router !== 'ring';
      const redis = viaRedis ? await startRedis({ prefix: onCore('server') }) : undefined;
      const admin = redis && new Redis(redis.url);
      const endRedis = async (): Promise<void> => {
        admin?.disconnect();
        await redis?.[Symbol.asyncDispose]();
      };
      try {
        const cluster = await startCluster({
          nodes,
          consul,
          // All of its processes start on one core.
          startMs: 60_000,
          ...(root !== undefined && { root }),
          prefix: onCore('server'),
          env: { RINGWAY_LOG_LEVEL: 'warn' },
          // One address and few users stand for many here.
          nodeEnv: {
            RINGWAY_PUBLISHES_PER_SECOND: '1000000',
            RINGWAY_MAX_UNAUTHENTICATED: '20000',
            ...(redis && { RINGWAY_LOG: log, RINGWAY_ROUTER: router, RINGWAY_REDIS_URL: redis.url }),
          },
        });
        const holders = cluster.nodes.map(({ process }) => process.pid);
        return {
          pids: [...holders, cluster.locator.process.pid, ...(redis ? [redis.process.pid] : [])],
          holders,
          ...(admin && { redis: admin }),
          // the metric counts what comes from Redis, where each message has gone once
          ...(router !== 'ring' && { uncounted: 1 }),
          async seats(count, skip = 0) {
            const seats: Seat[] = [];
            const spare: Seat[][] = cluster.nodes.map(() => []);
            for (let asked = 0; seats.length < count; asked += 1) {
              const user = `u${skip + asked}`;
              const { nodeId, url } = await cluster.route(user);
              const node = cluster.nodes.findIndex(({ id }) => id === nodeId);
              spare[node]?.push({ user, node, url });
              for (let next = spare[seats.length % nodes]; next?.length; next = spare[seats.length % nodes]) {
                const seat = next.shift();
                if (seat && seats.length < count) seats.push(seat);
              }
            }
            return seats;
          },
          async frames() {
            const counts = await Promise.all(
              cluster.nodes.map((node) => node.metric('ringway_relay_frames_total')),
            );
            return counts.reduce((sum, each) => sum + each, 0);
          },
          callers(count, skip = 0) {
            const { hostname, port } = new URL(cluster.locator.publicUrl);
            return {
              lookup: { host: hostname, port: Number(port), path: '/route' },
              authorizations: Array.from(
                { length: count },
                (_, index) => `Bearer ${cluster.callerToken(`u${skip + index}`)}`,
              ),
            };
          },
          async [Symbol.asyncDispose]() {
            await cluster[Symbol.asyncDispose]();
            await endRedis();
            await consul[Symbol.asyncDispose]();
          },
        };
      } catch (error) {
        await endRedis();
        await consul[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

export const ringway = ringwayPeer('Ringway', 'ringway');
export const ringwayAnswered = ringwayPeer('Ringway, `published` answered', 'ringway-answered');
export const ringwayRedis = ringwayPeer('Ringway, Redis log', 'ringway', { log: 'redis' });
export const ringwayRedisAnswered = ringwayPeer(
  'Ringway, Redis log, `published` answered',
  'ringway-answered',
  { log: 'redis' },
);

/** Ringway's routers, side by side. In directory and broadcast the memory log keeps nothing. */
export const ring = ringwayPeer('Ringway, ring', 'ringway');
export const ringRedis = ringwayPeer('Ringway, ring, Redis log', 'ringway', { log: 'redis' });
export const directory = ringwayPeer('Ringway, directory', 'ringway', { router: 'directory' });
export const broadcast = ringwayPeer('Ringway, broadcast', 'ringway', { router: 'broadcast' });

export const ringwayRouters: readonly Peer[] = [ring, directory, broadcast, ringRedis];

/** The two of another checkout, to see what a change is worth in one run. */
export function ringwayOf(root: string): Peer[] {
  return [
    ringwayPeer(`Ringway of ${root}`, 'ringway', { root }),
    ringwayPeer(`Ringway of ${root}, answered`, 'ringway-answered', { root }),
  ];
}
