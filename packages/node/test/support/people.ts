import { type ClientOptions, type Gap, RingwayClient, type StateChange } from '@ringway/client';
import { type RouteAnswer, userChannel } from '@ringway/protocol';
import type { TestCluster } from './cluster.ts';

/** A user with a session of the SDK, whose `/route` is answered by the cluster's ring, and who remembers all that came. */
export class Person {
  readonly userId: string;
  readonly client: RingwayClient;
  readonly gaps: Gap[] = [];
  readonly states: StateChange[] = [];
  readonly errors: Error[] = [];
  /** Numbers by channel, as they came. */
  readonly heard = new Map<string, number[]>();

  constructor(cluster: TestCluster, userId: string, options: Partial<ClientOptions> = {}) {
    this.userId = userId;
    this.client = new RingwayClient({
      locator: 'http://ringway.test',
      userId,
      fetch: async (input) => Response.json(routeAnswer(cluster, userId, new URL(String(input)))),
      ...options,
    });
    this.client.on('message', ({ channel, data }) => {
      const numbers = this.heard.get(channel) ?? [];
      this.heard.set(channel, numbers);
      if (typeof data === 'number') numbers.push(data);
    });
    this.client.on('gap', (gap) => this.gaps.push(gap));
    this.client.on('state', (state) => this.states.push(state));
    this.client.on('error', (error) => this.errors.push(error));
  }

  get nodeId(): string | undefined {
    return this.client.session?.nodeId;
  }

  /** Numbers heard on a channel. */
  numbers(channel = userChannel(this.userId)): readonly number[] {
    return this.heard.get(channel) ?? [];
  }
}

/** What a locator with the cluster's present ring says. */
function routeAnswer(cluster: TestCluster, userId: string, { searchParams }: URL): RouteAnswer {
  const avoid = searchParams.getAll('avoid');
  const ring = cluster.watcher.current;
  const owners = ring.owners(userChannel(userId), ring.size);
  const chosen = owners.find(({ id }) => !avoid.includes(id)) ?? owners[0];
  const node = cluster.node(chosen?.id ?? '');
  const ticket = cluster.ticket(userId, node, chosen === owners[0] ? {} : { via: 'avoid', avoid });
  return {
    userId,
    nodeId: node.id,
    url: `${node.addresses.publicUrl}/ws?ticket=${ticket}`,
    ticket,
    expiresAt: Date.now() + 30_000,
    expiresIn: 30_000,
    ring: ring.version,
  };
}
