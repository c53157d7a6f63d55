import { type ClientEvents, type ClientOptions, RingwayClient } from '@ringway/client';
import { afterEach } from 'vitest';
import { TestCluster } from './cluster.ts';

const running: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()));
});

/** A cluster that ends with the test. */
export async function cluster(nodes = 1): Promise<TestCluster> {
  const made = await TestCluster.start(nodes);
  running.push({ close: () => made.stop() });
  return made;
}

/** A client that ends with the test, and everything that it told. */
export interface Watched {
  readonly client: RingwayClient;
  readonly messages: ClientEvents['message'][];
  readonly gaps: ClientEvents['gap'][];
  readonly states: ClientEvents['state'][];
  readonly errors: ClientEvents['error'][];
}

/** Backoff is short, so that a test need not wait. */
export function watch(
  on: TestCluster | string | readonly string[],
  options: Partial<ClientOptions> = {},
): Watched {
  const locator = on instanceof TestCluster ? on.locator : on;
  const client = new RingwayClient({ locator, userId: 'alice', backoff: () => 5, ...options });
  running.unshift(client);
  const watched: Watched = { client, messages: [], gaps: [], states: [], errors: [] };
  client.on('message', (message) => watched.messages.push(message));
  client.on('gap', (gap) => watched.gaps.push(gap));
  client.on('state', (change) => watched.states.push(change));
  client.on('error', (error) => watched.errors.push(error));
  return watched;
}

/** What the messages say. */
export function texts({ messages }: Watched): unknown[] {
  return messages.map(({ data }) => data);
}
