import { randomUUID } from 'node:crypto';
import { type Membership, MemoryRegistry, memoryMembership, RingWatcher } from '@ringway/membership';
import { type Capabilities, type TicketClaims, userChannel } from '@ringway/protocol';
import {
  createLogger,
  KeyFamily,
  mintClusterToken,
  mintTicket,
  readSettings,
  ticketAudience,
  ticketExpiry,
} from '@ringway/service';
import { createNode, type Node, nodeSettings } from '../../src/index.ts';
import { TestClient } from './client.ts';

export const ticketKeys = new KeyFamily({
  name: 'RINGWAY_TICKET_KEYS',
  text: 'ticket-key-ticket-key-ticket-key-0001',
});
export const clusterKeys = new KeyFamily({
  name: 'RINGWAY_CLUSTER_KEYS',
  text: 'cluster-key-cluster-key-cluster-1',
});

export const ALL: Capabilities = { publish: ['*'], join: ['*'], presence: ['*'] };

/** Real nodes in this process on the memory membership, their listeners on free ports of loopback. */
export class TestCluster implements AsyncDisposable {
  readonly registry = new MemoryRegistry();
  readonly nodes = new Map<string, Node>();
  readonly clients: TestClient[] = [];
  readonly watcher = new RingWatcher({ membership: memoryMembership(this.registry) });

  static async start(count: number, env: Record<string, string> = {}): Promise<TestCluster> {
    const cluster = new TestCluster();
    await cluster.watcher.start();
    for (let i = 1; i <= count; i++) await cluster.add(`node-${i}`, env);
    await cluster.settled();
    return cluster;
  }

  async add(id: string, env: Record<string, string> = {}): Promise<Node> {
    const settings = readSettings(nodeSettings, {
      RINGWAY_NODE_ID: id,
      RINGWAY_TICKET_KEYS: 'ticket-key-ticket-key-ticket-key-0001',
      RINGWAY_CLUSTER_KEYS: 'cluster-key-cluster-key-cluster-1',
      RINGWAY_PUBLIC_LISTEN: '127.0.0.1:0',
      RINGWAY_INTERNAL_LISTEN: '127.0.0.1:0',
      RINGWAY_STOP_SPREAD: '0',
      // guests are where the test has put them
      RINGWAY_MOVE: 'off',
      ...this.envOf(id),
      ...env,
    });
    const logger = createLogger({ name: id, level: 'silent', pretty: false });
    const membership = this.membershipOf(id);
    const node = createNode({ settings, membership, ticketKeys, clusterKeys, logger });
    this.nodes.set(id, node);
    await node.start();
    return node;
  }

  /** Settings of one node alone. */
  protected envOf(_id: string): Record<string, string> {
    return {};
  }

  /** The registry as a node sees it. */
  protected membershipOf(_id: string): Membership {
    return memoryMembership(this.registry);
  }

  async remove(id: string): Promise<void> {
    const node = this.node(id);
    this.nodes.delete(id);
    await node.stop();
  }

  node(id: string): Node {
    const node = this.nodes.get(id);
    if (!node) throw new Error(`no node ${id}`);
    return node;
  }

  /** Waits until every node has a link to every other. */
  async settled(): Promise<void> {
    for (const node of this.nodes.values()) {
      await waitFor(async () => {
        const text = await metrics(node);
        return (
          metric(text, 'ringway_ring_members') === this.nodes.size &&
          metric(text, 'ringway_peer_links') === this.nodes.size - 1
        );
      }, `links of ${node.id}`);
    }
  }

  ownerOf(userId: string): Node {
    return this.node(this.watcher.current.owner(userChannel(userId))?.id ?? '');
  }

  /** A user whose home is this node. */
  userOn(id: string, prefix = 'user'): string {
    for (let i = 0; ; i++) {
      const userId = `${prefix}-${i}`;
      if (this.watcher.current.owner(userChannel(userId))?.id === id) return userId;
    }
  }

  ticket(userId: string, node: Node, more: Partial<TicketClaims> = {}): string {
    const { index, checksum } = this.watcher.current.version;
    return mintTicket(ticketKeys, {
      iss: 'ringway',
      sub: userId,
      aud: ticketAudience(node.id, node.incarnation),
      exp: ticketExpiry(Date.now()),
      jti: randomUUID(),
      ring: { index, checksum },
      cap: ALL,
      ...more,
    });
  }

  /** Opens a socket with a ticket as it is. */
  open(node: Node, ticket: string, options: { origin?: string } = {}): TestClient {
    return this.openUrl(`${node.addresses.publicUrl}/ws?ticket=${ticket}`, options);
  }

  openUrl(url: string, options: { origin?: string } = {}): TestClient {
    const client = new TestClient(url, options);
    this.clients.push(client);
    return client;
  }

  /** A welcomed session of this user, on the user's home unless another node is given. */
  async connect(
    userId: string,
    node = this.ownerOf(userId),
    more: Partial<TicketClaims> = {},
  ): Promise<TestClient> {
    const client = this.open(node, this.ticket(userId, node, more));
    await client.next('welcome');
    return client;
  }

  token(node: Node, scope: 'push' | 'peer' | 'admin' = 'push'): string {
    return mintClusterToken(clusterKeys, { iss: 'ringway', sub: 'billing', aud: node.id, scope });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.socket.terminate();
    await Promise.all([...this.nodes.values()].map((node) => node.stop()));
    await this.watcher.close();
  }
}

export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function metrics(node: Node): Promise<string> {
  const answer = await fetch(`${node.addresses.internalUrl}/metrics`);
  return answer.text();
}

export function metric(text: string, name: string): number {
  const line = text
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name} `) || candidate.startsWith(`${name}{`));
  return line === undefined ? Number.NaN : Number(line.slice(line.lastIndexOf(' ') + 1));
}

/** The value of a metric at one value of its label; 0 where it was never counted. */
export function labelled(text: string, name: string, label: string, value: string | number): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}{${label}="${value}"}`));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
}
