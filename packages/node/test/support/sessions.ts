import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Capabilities, type CloseName, userChannel } from '@ringway/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { Flusher } from '../../src/session/flusher.ts';
import type { SessionHost } from '../../src/session/host.ts';
import { Session } from '../../src/session/session.ts';
import { quote } from '../../src/text.ts';
import { TestClient } from './client.ts';

export const ALL: Capabilities = { publish: ['*'], join: ['*'], presence: ['*'] };

/** What a session needs of its node, with time in the hands of the test. */
export class TestHost implements SessionHost {
  readonly nodeId = 'node-1';
  readonly ping = { intervalMs: 25_000, timeoutMs: 10_000 };
  readonly limits = { frameBytes: 65_536, publishesPerSecond: 100 };
  maxWaitingBytes = 1024 * 1024;
  readonly flusher = new Flusher();
  readonly closed: { session: Session; name: CloseName }[] = [];
  monotonic = 0;
  wall = 1_700_000_000_000;
  ticks = 0;
  readonly now = (): number => this.monotonic;
  readonly wallClock = (): number => this.wall;
  readonly tick = (): number => this.ticks;

  received(): void {}

  receivedBinary(): void {}

  ended(session: Session): void {
    session.ended();
  }

  close(session: Session, name: CloseName): void {
    this.closed.push({ session, name });
    session.end(name);
  }
}

/** The node's end of a socket, and the client's. */
export interface SocketPair {
  readonly socket: WebSocket;
  readonly stream: Duplex;
  readonly client: TestClient;
}

/** A listener that opens real sockets and does nothing else with them. */
export class SocketBench implements AsyncDisposable {
  readonly host = new TestHost();
  private readonly server: Server;
  private readonly sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  private readonly clients: TestClient[] = [];
  private sessions = 0;

  private constructor(server: Server) {
    this.server = server;
  }

  static async start(): Promise<SocketBench> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SocketBench(server);
  }

  async pair(): Promise<SocketPair> {
    const { port } = this.server.address() as AddressInfo;
    const client = new TestClient(`ws://127.0.0.1:${port}/`);
    this.clients.push(client);
    const [request, stream, head] = await once(this.server, 'upgrade');
    const socket = await new Promise<WebSocket>((resolve) => {
      this.sockets.handleUpgrade(request, stream, head, resolve);
    });
    await once(client.socket, 'open');
    return { socket, stream, client };
  }

  /** A session on a socket, not welcomed yet. */
  sessionOn({ socket, stream }: Omit<SocketPair, 'client'>, userId = 'alice'): Session {
    return new Session(this.host, socket, stream, {
      id: `s${this.sessions++}`,
      userId,
      from: quote(userChannel(userId)),
      cap: ALL,
      expiresAt: Number.POSITIVE_INFINITY,
    });
  }

  async session(userId = 'alice'): Promise<{ session: Session; client: TestClient }> {
    const pair = await this.pair();
    return { session: this.sessionOn(pair, userId), client: pair.client };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.socket.terminate();
    this.sockets.close();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
