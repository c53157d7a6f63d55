// Socket.IO with its Redis streams adapter and connection state recovery, which its pub/sub adapter does not have, as its
// own documentation sets it up; ends on SIGTERM by io.close(). Argument: the port of Redis.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const client = new Redis(Number(process.argv[2]), '127.0.0.1');
const server = createServer();
const io = new Server(server, {
  adapter: createAdapter(client),
  connectionStateRecovery: {},
  transports: ['websocket'],
  perMessageDeflate: false,
  serveClient: false,
});

io.on('connection', (socket) => {
  void socket.join(String(socket.handshake.query['user']));
  socket.on('m', (to: string, data: unknown, done: () => void) => {
    io.to(to).emit('m', data);
    done();
  });
});

process.once('SIGTERM', () => {
  void io.close().then(() => process.exit(0));
});

await client.ping();
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  console.log(`port ${(server.address() as AddressInfo).port}`),
);
