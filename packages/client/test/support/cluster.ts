import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClientFrame, RouteAnswer } from '@ringway/protocol';
import { TestLog } from './log.ts';
import { TestNode, type TestSession } from './node.ts';

/** A question that was put to `/route`. */
export interface Asked {
  readonly userId: string | null;
  readonly avoid: readonly string[];
  readonly authorization: string | undefined;
}

/** An answer other than the usual one. */
export interface Refusal {
  readonly status: number;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Nodes, their channels, and one or more locators: enough of Ringway for a client, with every knob in reach. */
export class TestCluster {
  readonly nodes: TestNode[] = [];
  readonly asked: Asked[] = [];
  /** Taken one by one, before the usual answer. */
  readonly refusals: Refusal[] = [];
  /** The node for a question; the first one that is not to be avoided unless told otherwise. */
  choose: (asked: Asked) => TestNode = ({ avoid }) => {
    const node = this.nodes.find(({ id }) => !avoid.includes(id)) ?? this.nodes[0];
    if (!node) throw new Error('no nodes');
    return node;
  };
  /** Fields of the next answers. */
  answer: Partial<RouteAnswer> = {};
  readonly #logs = new Map<string, TestLog>();
  readonly #tickets = new Map<string, { nodeId: string; userId: string }>();
  readonly #locator: Server = createServer();
  #ticket = 0;

  static async start(nodes = 1): Promise<TestCluster> {
    const cluster = new TestCluster();
    for (let i = 1; i <= nodes; i++) cluster.nodes.push(await new TestNode(cluster, `node-${i}`).start());
    cluster.#locator.listen(0, '127.0.0.1');
    await once(cluster.#locator, 'listening');
    return cluster;
  }

  private constructor() {
    this.#locator.on(
      'request',
      ({ url = '', headers }: { url?: string; headers: IncomingHttpHeaders }, response) => {
        const { searchParams } = new URL(url, 'http://x');
        const asked: Asked = {
          userId: searchParams.get('userId'),
          avoid: searchParams.getAll('avoid'),
          authorization: headers.authorization,
        };
        this.asked.push(asked);
        const refusal = this.refusals.shift();
        response.statusCode = refusal?.status ?? 200;
        for (const [name, value] of Object.entries(refusal?.headers ?? {})) response.setHeader(name, value);
        response.end(JSON.stringify(refusal ? (refusal.body ?? {}) : this.#route(asked)));
      },
    );
  }

  get locator(): string {
    return `http://127.0.0.1:${(this.#locator.address() as AddressInfo).port}`;
  }

  get sessions(): TestSession[] {
    return this.nodes.flatMap(({ sessions }) => sessions);
  }

  node(at: number): TestNode {
    const node = this.nodes[at];
    if (!node) throw new Error(`there is no node ${at}`);
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    this.#locator.closeAllConnections();
    const closed = once(this.#locator, 'close');
    this.#locator.close();
    await closed;
  }

  log(channel: string): TestLog {
    const log = this.#logs.get(channel) ?? new TestLog(channel, 'e1');
    this.#logs.set(channel, log);
    return log;
  }

  /** A ticket for a node. */
  issue(nodeId: string, userId: string): string {
    const ticket = `t${++this.#ticket}`;
    this.#tickets.set(ticket, { nodeId, userId });
    return ticket;
  }

  /** The ticket's user; undefined when it is not for this node, or was used. */
  redeem(ticket: string, nodeId: string): string | undefined {
    const known = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    return known?.nodeId === nodeId ? known.userId : undefined;
  }

  /** Stores a message and hands it to the channel's sessions. */
  publish(channel: string, from: string, id: string, data: unknown): void {
    const { frame, duplicate } = this.log(channel).append(from, id, data);
    if (duplicate) return;
    for (const session of this.sessions) if (session.channels.has(channel)) session.send(frame);
  }

  handle(frame: ClientFrame, session: TestSession): void {
    switch (frame.type) {
      case 'publish':
        this.#publish(frame, session);
        return;
      case 'join':
        session.channels.add(frame.channel);
        session.send({ type: 'joined', channel: frame.channel, position: this.log(frame.channel).head });
        return;
      case 'leave':
        session.channels.delete(frame.channel);
        session.send({ type: 'left', channel: frame.channel });
        return;
      case 'resume':
        this.#resume(frame, session);
        return;
      case 'refresh':
        session.send({ type: 'refreshed', expiresAt: 1_800_000_000_000 });
        return;
      case 'ping':
        session.send({ type: 'pong' });
        return;
      case 'pong':
      case 'moveFailed':
        return;
    }
  }

  #publish(
    { to, id, data, ephemeral }: Extract<ClientFrame, { type: 'publish' }>,
    session: TestSession,
  ): void {
    const from = `user:${session.userId}`;
    const results = (typeof to === 'string' ? [to] : to.users).map((name) => {
      const channel = typeof to === 'string' ? name : `user:${name}`;
      const reached = this.sessions.filter(({ channels: held }) => held.has(channel));
      if (ephemeral) {
        const message = { type: 'message' as const, channel, id: id ?? 'made', from, data };
        for (const one of reached) one.send(message);
        return { to: name, reached: reached.length };
      }
      const { frame, duplicate } = this.log(channel).append(from, id ?? 'made', data);
      if (!duplicate) for (const one of reached) one.send(frame);
      return {
        to: name,
        reached: reached.length,
        position: frame.position,
        ...(duplicate ? { duplicate } : {}),
      };
    });
    if (id === undefined) return;
    const reached = results.reduce((sum, one) => sum + one.reached, 0);
    if (typeof to !== 'string') session.send({ type: 'published', id, reached, results });
    else if (results[0]) {
      const { to: _, ...result } = results[0];
      session.send({ type: 'published', id, ...result });
    }
  }

  #resume({ positions = {} }: Extract<ClientFrame, { type: 'resume' }>, session: TestSession): void {
    const channels = Object.entries(positions).map(([channel, position]) => {
      const log = this.log(channel);
      const { start, messages } = log.since(position);
      if (start !== position) session.send({ type: 'gap', channel, after: position, upTo: start });
      for (const message of messages) session.send(message);
      return { channel, position: log.head };
    });
    session.send({ type: 'resumed', channels });
  }

  #route(asked: Asked): RouteAnswer {
    const userId = asked.userId ?? 'alice';
    const node = this.choose(asked);
    const ticket = this.issue(node.id, userId);
    return {
      userId,
      nodeId: node.id,
      url: `${node.url}?ticket=${ticket}`,
      ticket,
      expiresAt: Date.now() + 30_000,
      expiresIn: 30_000,
      ring: { index: '1', checksum: '00' },
      ...this.answer,
    };
  }
}
