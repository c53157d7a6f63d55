// One process, one hop, one write a message: what npm `ws` gives to someone who writes no more than this.
// A client says who it is by ?user=NAME, and a group that it is in by &group=NAME; it sends frames of a 16-character name,
// a user's or a group's, padded by spaces, and the data.
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { Groups, NAME_BYTES, userOf } from './plain.ts';

const users = new Map<string, WebSocket>();
const groups = new Groups<WebSocket>();
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 });

server.on('connection', (socket, request) => {
  const user = userOf(request.url);
  users.set(user, socket);
  groups.add(request.url, socket);
  socket.on('message', (frame: Buffer) => {
    const name = frame.toString('latin1', 0, NAME_BYTES).trimEnd();
    const data = frame.subarray(NAME_BYTES);
    const group = groups.of(name);
    if (group) for (const member of group) member.send(data, { binary: false });
    else users.get(name)?.send(data, { binary: false });
  });
  socket.on('close', () => users.delete(user));
  socket.on('error', () => socket.terminate());
  socket.send('ready');
});

server.on('listening', () => console.log(`port ${(server.address() as AddressInfo).port}`));
