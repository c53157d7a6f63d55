// The bound: two hops, over plain TCP links, everything written once per socket and turn of the loop, and no checks at
// all: no order, no log, no ids, no limits, no answer. Close to what JavaScript can do; nothing can be built on it.
// Arguments: this node's number, then the link port of each node. A user is on the node that ends its name: `u7@2`.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { Groups, NAME_BYTES, userOf } from './plain.ts';

const [self = 0, ...linkPorts] = process.argv.slice(2).map(Number);
const users = new Map<string, Gatherer>();
const groups = new Groups<Gatherer>();
const links: Gatherer[] = [];
let frames = 0;

/** What is to be written to one socket in this turn. */
class Gatherer {
  readonly #socket: Socket;
  #pieces: Buffer[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(piece: Buffer): void {
    if (this.#pieces.push(piece) === 1 && waiting.push(this) === 1) setImmediate(flushAll);
  }

  flush(): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#socket.write(Buffer.concat(pieces));
  }
}

const waiting: Gatherer[] = [];

function flushAll(): void {
  for (const one of waiting.splice(0)) one.flush();
}

/** A link's frame, and what a client sends: name of a user or a group, data; with two bytes of length before it on a link. */
function receive(frame: Buffer, hop: 'client' | 'link'): void {
  const name = frame.toString('latin1', 0, NAME_BYTES).trimEnd();
  const data = frame.subarray(NAME_BYTES);
  const group = groups.of(name);
  if (group !== undefined) {
    const whole = Buffer.concat([headOf(data), data]);
    for (const member of group) member.write(whole);
    if (hop === 'client') for (const link of links) if (link) relay(frame, link);
    return;
  }
  const to = users.get(name);
  if (to !== undefined) {
    to.write(headOf(data));
    to.write(data);
    return;
  }
  const link = links[Number(name.slice(name.indexOf('@') + 1))];
  if (hop === 'client' && link) relay(frame, link);
}

/** Of a text frame. */
function headOf({ length }: Buffer): Buffer {
  return length < 126 ? Buffer.from([0x81, length]) : Buffer.from([0x81, 126, length >> 8, length & 255]);
}

function relay(frame: Buffer, link: Gatherer): void {
  frames += 1;
  link.write(Buffer.from([frame.length >> 8, frame.length & 255]));
  link.write(frame);
}

function readLink(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (at + 2 <= bytes.length) {
      const end = at + 2 + bytes.readUInt16BE(at);
      if (end > bytes.length) break;
      receive(bytes.subarray(at + 2, end), 'link');
      at = end;
    }
    rest = bytes.subarray(at);
  });
}

createServer((socket) => readLink(socket.setNoDelay(true))).listen(linkPorts[self], '127.0.0.1');

async function dial(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    try {
      await once(socket, 'connect');
      return socket.on('error', () => socket.destroy());
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20)); // the other one is still starting
    }
  }
}

for (const [number, port] of linkPorts.entries()) {
  if (number !== self) links[number] = new Gatherer(await dial(port));
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 });
server.on('connection', (socket: WebSocket, request) => {
  const user = userOf(request.url);
  const gatherer = new Gatherer(request.socket);
  users.set(user, gatherer);
  groups.add(request.url, gatherer);
  socket.on('message', (frame: Buffer) => receive(frame, 'client'));
  socket.on('close', () => users.delete(user));
  socket.on('error', () => socket.terminate());
  socket.send('ready');
});
server.on('listening', () => console.log(`port ${(server.address() as AddressInfo).port}`));
process.on('SIGUSR2', () => console.log(`frames ${frames}`));
