import { startRedis } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { onCore } from '../support/proc.ts';
import type { Peer } from './peer.ts';
import { killAll, seatsOn, startServer } from './server.ts';

/** Socket.IO behind Redis: every message goes there, and from there to every node. */
function socketIoPeer(name: string, script: string, written: string): Peer {
  return {
    name,
    speech: 'socket.io',
    async start(nodes) {
      const redis = await startRedis({ prefix: onCore('server') });
      const admin = new Redis(redis.url);
      const servers = await Promise.all(Array.from({ length: nodes }, () => startServer(script, redis.port)));
      const processes = servers.map((server) => server.process);
      const holders = processes.map(({ pid }) => pid);
      return {
        pids: [redis.process.pid, ...holders],
        holders,
        seats: async (count, skip = 0) =>
          seatsOn(servers, [skip, count], (user) => `/socket.io/?EIO=4&transport=websocket&user=${user}`),
        async frames() {
          const stats = await admin.info('commandstats');
          const count = Number(new RegExp(`^cmdstat_${written}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
          return count * (1 + nodes); // one to Redis, and one to each node, the sender's too
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
export const socketIo = socketIoPeer('Socket.IO, Redis adapter', 'socket-io.ts', 'publish');
/** By a stream, which is kept for a while. */
export const socketIoStreams = socketIoPeer('Socket.IO, streams adapter', 'socket-io-streams.ts', 'xadd');
