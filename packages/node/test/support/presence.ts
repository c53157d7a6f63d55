import { HTTP, type Position, presenceChannel, type UserPresence } from '@ringway/protocol';
import { expect } from 'vitest';
import type { Node } from '../../src/index.ts';
import type { TestClient } from './client.ts';
import { type TestCluster, waitFor } from './cluster.ts';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export async function call(
  cluster: TestCluster,
  node: Node,
  query: string,
  users?: unknown,
): Promise<Answer> {
  const answer = await fetch(`${node.addresses.internalUrl}${HTTP.presence}${query}`, {
    method: users === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${cluster.token(node)}`, 'content-type': 'application/json' },
    ...(users === undefined ? {} : { body: JSON.stringify(users) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

export async function ask(
  cluster: TestCluster,
  node: Node,
  users: readonly string[],
): Promise<UserPresence[]> {
  const { status, body } = await call(cluster, node, '', { users });
  expect(status).toBe(200);
  return body['users'] as UserPresence[];
}

export const nodesOf = (cluster: TestCluster): Node[] => [...cluster.nodes.values()];

/** Every node has been home of what it is home of for long enough to know who is not there. */
export async function sure<C extends TestCluster>(cluster: C): Promise<C> {
  const users = [...cluster.nodes.keys()].map((id) => cluster.userOn(id, 'nobody'));
  const [node] = nodesOf(cluster) as [Node];
  await waitFor(
    async () => (await ask(cluster, node, users)).every(({ error }) => !error),
    'homes to be sure',
  );
  return cluster;
}

/** What a session was told of a user: the state of now that is its own alone, and what the channel said. */
export function told(
  client: TestClient,
  userId: string,
): { online: boolean; since?: number; logged: boolean }[] {
  return client
    .all('message')
    .filter(({ channel }) => channel === presenceChannel(userId))
    .map(({ data, position, from }) => {
      expect(from).toBe('service:ringway');
      const { userId: of, ...state } = data as { userId: string; online: boolean; since?: number };
      expect(of).toBe(userId);
      return { ...state, logged: position !== undefined };
    });
}

/** The states that were told, repeats left out. */
export function changes(client: TestClient, userId: string): boolean[] {
  const states = told(client, userId).map(({ online }) => online);
  return states.filter((online, i) => online !== states[i - 1]);
}

export async function watch(client: TestClient, userId: string): Promise<Position> {
  client.send({ type: 'join', channel: presenceChannel(userId) });
  const { channel, position } = await client.next('joined');
  expect(channel).toBe(presenceChannel(userId));
  await waitFor(() => told(client, userId).length > 0, 'the state of now');
  return position;
}
