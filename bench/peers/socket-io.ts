import { startRedis } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { onCore } from '../support/proc.ts';
import type { Peer } from './peer.ts';
import { killAll, seatsOn, startServer } from './server.ts';

/** Socket.IO behind its Redis adapter: every message goes to Redis, and from there to every node. */
export const socketIo: Peer = {
  name: 'Socket.IO, Redis adapter',
  speech: 'socket.io',
  async start(nodes) {
    const redis = await startRedis({ prefix: onCore('server') });
    const admin = new Redis(redis.url);
    const servers = await Promise.all(
      Array.from({ length: nodes }, () => startServer('socket-io.ts', redis.port)),
    );
    const processes = servers.map((server) => server.process);
    const holders = processes.map(({ pid }) => pid);
    return {
      pids: [redis.process.pid, ...holders],
      holders,
      seats: async (count, skip = 0) =>
        seatsOn(servers, [skip, count], (user) => `/socket.io/?EIO=4&transport=websocket&user=${user}`),
      async frames() {
        const stats = await admin.info('commandstats');
        const published = Number(/^cmdstat_publish:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
        return published * (1 + nodes); // one to Redis, and one to each node, the sender's too
      },
      async [Symbol.asyncDispose]() {
        admin.disconnect();
        await killAll(processes);
        await redis[Symbol.asyncDispose]();
      },
    };
  },
};
