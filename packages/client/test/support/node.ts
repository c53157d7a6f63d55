import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClientFrame, ServerFrame, WelcomeFrame } from '@ringway/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import type { TestCluster } from './cluster.ts';

/** One session on a {@link TestNode}. */
export class TestSession {
  readonly node: TestNode;
  readonly userId: string;
  readonly socket: WebSocket;
  readonly channels = new Set<string>();
  /** Every frame that the client sent. */
  readonly frames: ClientFrame[] = [];

  constructor(node: TestNode, userId: string, socket: WebSocket) {
    this.node = node;
    this.userId = userId;
    this.socket = socket;
  }

  send(frame: ServerFrame): void {
    this.socket.send(JSON.stringify(frame));
  }

  sent<Type extends ClientFrame['type']>(type: Type): Extract<ClientFrame, { type: Type }>[] {
    return this.frames.filter((frame): frame is Extract<ClientFrame, { type: Type }> => frame.type === type);
  }
}

/** A node that speaks the protocol, over real sockets, and does wrong where a test tells it to. */
export class TestNode {
  readonly id: string;
  readonly sessions: TestSession[] = [];
  /** Sockets that were opened, whatever became of them. */
  opened = 0;
  /** Instead of a welcome, one close with this code; then as usual. */
  closeNext: number | undefined;
  /** Accepts connections and says nothing. */
  silent = false;
  /** Handles a frame in the node's place by returning true. */
  intercept: (frame: ClientFrame, session: TestSession) => boolean = () => false;
  welcome: Partial<WelcomeFrame> = {};
  readonly #cluster: TestCluster;
  readonly #http: Server = createServer();
  #port = 0;

  constructor(cluster: TestCluster, id: string) {
    this.#cluster = cluster;
    this.id = id;
    const server = new WebSocketServer({ server: this.#http });
    server.on('connection', (socket, request) => this.#connect(socket, new URL(request.url ?? '', 'ws://x')));
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/ws`;
  }

  get session(): TestSession {
    const session = this.sessions.at(-1);
    if (!session) throw new Error(`${this.id} has no session`);
    return session;
  }

  /** Listens, on the same port as before if there was one. */
  async start(): Promise<this> {
    this.#http.listen(this.#port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.#port = (this.#http.address() as AddressInfo).port;
    return this;
  }

  /** As SIGKILL would: connections break, the port is closed. */
  async kill(): Promise<void> {
    for (const { socket } of this.sessions.splice(0)) socket.terminate();
    this.#http.closeAllConnections();
    if (!this.#http.listening) return;
    const closed = once(this.#http, 'close');
    this.#http.close();
    await closed;
  }

  #connect(socket: WebSocket, { searchParams }: URL): void {
    this.opened++;
    socket.on('error', () => {});
    const userId = this.#cluster.redeem(searchParams.get('ticket') ?? '', this.id);
    const code = this.closeNext ?? (userId === undefined ? 4501 : undefined);
    this.closeNext = undefined;
    if (code !== undefined || userId === undefined) {
      socket.close(code, 'as told');
      return;
    }
    if (this.silent) return;
    const session = new TestSession(this, userId, socket);
    this.sessions.push(session);
    socket.on('close', () => {
      const at = this.sessions.indexOf(session);
      if (at >= 0) this.sessions.splice(at, 1);
    });
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as ClientFrame;
      session.frames.push(frame);
      if (!this.intercept(frame, session)) this.#cluster.handle(frame, session);
    });
    const channel = `user:${userId}`;
    session.channels.add(channel);
    session.send({
      type: 'welcome',
      protocol: 1,
      nodeId: this.id,
      sessionId: `${this.id}-${this.opened}`,
      userId,
      channel,
      position: this.#cluster.log(channel).head,
      ping: { intervalMs: 25_000, timeoutMs: 10_000 },
      limits: { frameBytes: 4_096, publishesPerSecond: 10_000 },
      ...this.welcome,
    });
  }
}
