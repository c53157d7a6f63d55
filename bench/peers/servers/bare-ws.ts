// One process, one hop, one write a message: what npm `ws` gives to someone who writes no more than this.
// A client says who it is by ?user=NAME, and sends frames of a 16-character name, padded by spaces, and the data.
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { NAME_BYTES, userOf } from './plain.ts';

const users = new Map<string, WebSocket>();
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 });

server.on('connection', (socket, request) => {
  const user = userOf(request.url);
  users.set(user, socket);
  socket.on('message', (frame: Buffer) => {
    const to = users.get(frame.toString('latin1', 0, NAME_BYTES).trimEnd());
    to?.send(frame.subarray(NAME_BYTES), { binary: false });
  });
  socket.on('close', () => users.delete(user));
  socket.on('error', () => socket.terminate());
  socket.send('ready');
});

server.on('listening', () => console.log(`port ${(server.address() as AddressInfo).port}`));
