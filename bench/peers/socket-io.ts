import { startRedis, waitFor } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { onCore } from '../support/proc.ts';
import type { Peer } from './peer.ts';
import { killAll, seatsOn, startServer } from './server.ts';

/** What differs between the adapters. */
interface Adapter {
  readonly name: 'redis' | 'sharded' | 'streams';
  /** The command of Redis by which a message is sent. */
  readonly sends: string;
  /** Nodes to which Redis gives a message, of so many; those of all when absent. */
  copies?(admin: Redis, nodes: number): Promise<number>;
  /** Waits until so many users are known to Redis. */
  known?(admin: Redis, users: number): Promise<unknown>;
}

/** Socket.IO behind Redis: every message goes there, and from there to the nodes. */
function socketIoPeer(name: string, adapter: Adapter): Peer {
  return {
    name,
    speech: 'socket.io',
    async start(nodes) {
      const redis = await startRedis({ prefix: onCore('server') });
      const admin = new Redis(redis.url);
      const servers = await Promise.all(
        Array.from({ length: nodes }, () => startServer('socket-io.ts', adapter.name, redis.port)),
      );
      const processes = servers.map((server) => server.process);
      const holders = processes.map(({ pid }) => pid);
      return {
        pids: [redis.process.pid, ...holders],
        holders,
        redis: admin,
        seats: async (count, skip = 0) =>
          seatsOn(servers, [skip, count], (user) => `/socket.io/?EIO=4&transport=websocket&user=${user}`),
        async known(clients) {
          await adapter.known?.(admin, clients);
        },
        async frames() {
          const stats = await admin.info('commandstats');
          const count = Number(
            new RegExp(`^cmdstat_${adapter.sends}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0,
          );
          // one to Redis, and one to each node, the sender's too
          return count * (1 + ((await adapter.copies?.(admin, nodes)) ?? nodes));
        },
        async [Symbol.asyncDispose]() {
          admin.disconnect();
          await killAll(processes);
          await redis[Symbol.asyncDispose]();
        },
      };
    },
  };
}

/** By Redis's publish and subscribe: nothing is kept. */
export const socketIo = socketIoPeer('Socket.IO, Redis adapter', { name: 'redis', sends: 'publish' });
/** By its sharded form: a channel for each room, to which those nodes listen that have somebody in it. */
export const socketIoSharded = socketIoPeer('Socket.IO, sharded adapter', {
  name: 'sharded',
  sends: 'spublish',
  async copies(admin) {
    const rooms = await shardChannels(admin);
    const counts = (await admin.call('PUBSUB', 'SHARDNUMSUB', ...rooms)) as (string | number)[];
    const numbers = counts.filter((_, index) => index % 2 === 1).map(Number);
    return Math.max(0, ...numbers);
  },
  known: (admin, users) =>
    waitFor(async () => (await shardChannels(admin)).length >= users, {
      message: `Redis to know of ${users} rooms`,
    }),
});
/** By a stream, which is kept for a while. */
export const socketIoStreams = socketIoPeer('Socket.IO, streams adapter', { name: 'streams', sends: 'xadd' });

/** Those of rooms: `socket.io#/#ROOM#`, where users' names have an `@`. */
async function shardChannels(admin: Redis): Promise<string[]> {
  return (await admin.call('PUBSUB', 'SHARDCHANNELS', 'socket.io#/#*@*')) as string[];
}
