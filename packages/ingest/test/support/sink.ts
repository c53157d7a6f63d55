import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createLocator, type Locator } from '@ringway/locator';
import { type Membership, MemoryRegistry, memoryMembership, type Snapshot } from '@ringway/membership';
import { createNode, type Node, nodeSettings } from '@ringway/node';
import {
  createLogger,
  KeyFamily,
  mintTicket,
  readSettings,
  ticketAudience,
  ticketExpiry,
} from '@ringway/service';
import { freePort, startTcpProxy, type TcpProxy, waitFor } from '@ringway/testkit';

const TICKET_KEY = 'ticket-key-ticket-key-ticket-key-0001';
export const CLUSTER_KEY = 'cluster-key-cluster-key-cluster-1';
const ticketKeys = new KeyFamily({ name: 'RINGWAY_TICKET_KEYS', text: TICKET_KEY });
const clusterKeys = new KeyFamily({ name: 'RINGWAY_CLUSTER_KEYS', text: CLUSTER_KEY });
const logger = createLogger({ name: 'sink', level: 'silent', pretty: false });

/** A message as a session got it. */
export interface Got {
  readonly id: string;
  readonly from: string;
  /** As it came, to the last digit. */
  readonly text: string;
  readonly data: { readonly n?: number };
}

/**
 * Real nodes and a locator in this process, and sessions that write down what they get. Backends are told of another way
 * to the nodes than their peers, and that one can be cut.
 */
export class Sink implements AsyncDisposable {
  readonly #registry = new MemoryRegistry();
  readonly #nodes: Node[] = [];
  readonly #proxies = new Map<string, TcpProxy>();
  readonly #sockets: WebSocket[] = [];
  #locator: Locator | undefined;

  static async start(): Promise<Sink> {
    const sink = new Sink();
    await Promise.all([sink.#addNode('node-1'), sink.#addNode('node-2')]);
    sink.#locator = createLocator({
      membership: sink.#forBackends(memoryMembership(sink.#registry)),
      ticketKeys,
      clusterKeys,
      authenticate: () => Promise.reject(new Error('nobody asks for a route here')),
      logger,
    });
    await sink.#locator.start();
    await sink.#locator.whenReady();
    await sink.#linked();
    return sink;
  }

  get locatorUrl(): string {
    return this.#locator?.internalUrl ?? '';
  }

  /** No backend reaches a node. */
  cut(): void {
    for (const proxy of this.#proxies.values()) proxy.cut();
  }

  heal(): void {
    for (const proxy of this.#proxies.values()) proxy.heal();
  }

  /** Waits until the nodes have a link to each other. */
  async #linked(): Promise<void> {
    for (const { addresses } of this.#nodes) {
      await waitFor(
        async () => {
          const text = await (await fetch(`${addresses.internalUrl}/metrics`)).text();
          return /^ringway_peer_links 1$/m.test(text) && /^ringway_ring_members 2$/m.test(text);
        },
        { message: 'links between the nodes', timeout: 20_000 },
      );
    }
  }

  /** A session of this user; what it gets stands in the list, oldest first. */
  async listen(userId: string): Promise<Got[]> {
    const [node] = this.#nodes;
    if (node === undefined) throw new Error('no node');
    const ticket = mintTicket(ticketKeys, {
      iss: 'ringway',
      sub: userId,
      aud: ticketAudience(node.id, node.incarnation),
      exp: ticketExpiry(Date.now()),
      jti: randomUUID(),
      ring: { index: '0', checksum: '0' },
      cap: { publish: [], join: [], presence: [] },
    });
    const got: Got[] = [];
    const socket = new WebSocket(`${node.addresses.publicUrl}/ws?ticket=${ticket}`);
    this.#sockets.push(socket);
    const welcome = Promise.withResolvers<void>();
    socket.addEventListener('message', ({ data: text }: MessageEvent<string>) => {
      const frame = JSON.parse(text) as { type: string } & Omit<Got, 'text'>;
      if (frame.type === 'welcome') welcome.resolve();
      if (frame.type === 'ping') socket.send('{"type":"pong"}');
      if (frame.type === 'message') got.push({ id: frame.id, from: frame.from, data: frame.data, text });
    });
    await Promise.race([
      welcome.promise,
      once(socket, 'close').then(() => Promise.reject(new Error(`${userId} was refused`))),
    ]);
    return got;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    await this.#locator?.stop();
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
  }

  async #addNode(id: string): Promise<void> {
    const port = await freePort();
    this.#proxies.set(id, await startTcpProxy({ port }));
    const settings = readSettings(nodeSettings, {
      RINGWAY_NODE_ID: id,
      RINGWAY_TICKET_KEYS: TICKET_KEY,
      RINGWAY_CLUSTER_KEYS: CLUSTER_KEY,
      RINGWAY_PUBLIC_LISTEN: '127.0.0.1:0',
      RINGWAY_INTERNAL_LISTEN: `127.0.0.1:${port}`,
      RINGWAY_BODY_BYTES: '384KiB',
      RINGWAY_STOP_SPREAD: '0',
      // all sessions are on the first node, whoever's home it is, and follow no move: after its deadline they would be closed
      RINGWAY_MOVE: 'off',
    });
    const node = createNode({
      settings,
      membership: memoryMembership(this.#registry),
      ticketKeys,
      clusterKeys,
      logger,
    });
    this.#nodes.push(node);
    await node.start();
  }

  /** The membership with other internal URLs, of which the ring is not made. */
  #forBackends(membership: Membership): Membership {
    const told = ({ index, members }: Snapshot): Snapshot => ({
      index,
      members: members.map((member) => {
        const proxy = this.#proxies.get(member.id);
        return proxy ? { ...member, internalUrl: `http://127.0.0.1:${proxy.port}` } : member;
      }),
    });
    return {
      register: (...args) => membership.register(...args),
      close: () => membership.close(),
      watch(observer) {
        const watch = membership.watch({
          ...observer,
          snapshot: (snapshot) => observer.snapshot(told(snapshot)),
        });
        return {
          ready: watch.ready,
          sinceConfirmed: () => watch.sinceConfirmed(),
          reread: async () => told(await watch.reread()),
          saidLeaving: (...args) => watch.saidLeaving(...args),
          close: () => watch.close(),
        };
      },
    };
  }
}
