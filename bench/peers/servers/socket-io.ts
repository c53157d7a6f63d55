// Socket.IO with one of its Redis adapters, as their own documentation sets them up.
// Arguments: the adapter (redis, sharded or streams), the port of Redis.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const [name, port] = process.argv.slice(2);
const client = new Redis(Number(port), '127.0.0.1');
const subscriber = client.duplicate();
const server = createServer();
const io = new Server(server, {
  adapter: adapter(),
  transports: ['websocket'],
  perMessageDeflate: false,
  serveClient: false,
});

function adapter() {
  switch (name) {
    case 'redis':
      return createAdapter(client, subscriber);
    case 'sharded':
      return createShardedAdapter(client, subscriber);
    case 'streams':
      return createStreamsAdapter(client);
    default:
      throw new Error(`unknown adapter ${name}`);
  }
}

io.on('connection', (socket) => {
  const { user, group } = socket.handshake.query;
  void socket.join(String(user));
  if (group !== undefined) void socket.join(String(group));
  socket.on('m', (to: string, data: string) => io.to(to).emit('m', data));
});

await Promise.all([client, subscriber].map((each) => each.ping()));
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  console.log(`port ${(server.address() as AddressInfo).port}`),
);
