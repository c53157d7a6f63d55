import type { Problem } from '@ringway/protocol';
import { createLogger } from '@ringway/service';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { Members } from '../src/groups/members.ts';
import { internalApp } from '../src/http/internal-app.ts';
import { Hub } from '../src/hub/hub.ts';
import type { Message, Publication, Router } from '../src/router/port.ts';
import { SessionsByUser } from '../src/session/by-user.ts';
import { Input } from '../src/session/input.ts';
import type { Session } from '../src/session/session.ts';
import { clusterKeys } from './support/cluster.ts';
import { loneRoster } from './support/rosters.ts';
import { SocketBench } from './support/sessions.ts';

/** A way out that is full when the test says so. */
class FullRouter implements Router {
  congested = true;
  readonly taken: Message[] = [];

  publish(publication: Publication): void {
    this.taken.push(publication);
    publication.done?.({ kind: 'published', reached: 0, position: undefined, duplicate: false });
  }
  publishMany(message: Message, channels: readonly string[], done?: (outcomes: never[]) => void): void {
    this.taken.push(message);
    if (channels.length === 0) done?.([]);
  }
  subscribe(): void {}
  resubscribe(): void {}
  unsubscribe(): void {}
  kick(): void {}
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  history(): Promise<never> {
    return Promise.reject(new Error('no log'));
  }
  recent(): Promise<never> {
    return Promise.reject(new Error('no log'));
  }
}

describe('while peers take less than they are given', () => {
  it('a backend is asked to come again, and nothing is taken from it', async () => {
    const router = new FullRouter();
    const app = internalApp({
      nodeId: 'node-1',
      cluster: 'ringway',
      keys: clusterKeys,
      insecure: true,
      about: {},
      tls: undefined,
      bodyBytes: 10_000,
      headerTimeoutMs: 5_000,
      maxListUsers: 10,
      router,
      presence: undefined,
      roster: loneRoster(),
      registry: new Registry(),
      logger: createLogger({ name: 'node-1', level: 'silent', pretty: false }),
      messageId: () => 'm',
      ready: () => true,
      drain: { begin: () => {}, cancel: () => {}, progress: () => expect.fail('nobody asks') },
      sessionsOf: () => [],
      count: () => {},
      acceptPeer: () => {},
    });
    const publish = () =>
      app.inject({ method: 'POST', url: '/publish', payload: { to: 'user:bob', data: 1, id: 'a' } });
    const refused = await publish();
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['content-type']).toContain('application/problem+json');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const problem: Problem = refused.json();
    expect(problem).toMatchObject({ status: 503, code: 'unavailable' });
    expect(problem.retryAfterMs).toBeGreaterThan(0);
    expect(router.taken).toEqual([]);
    router.congested = false;
    expect((await publish()).statusCode).toBe(200);
    expect(router.taken).toHaveLength(1);
    await app.close();
  });

  it('a session is read no further, whether it publishes to one or to many', async () => {
    await using bench = await SocketBench.start();
    const { session } = await bench.session();
    const router = new FullRouter();
    const paused: Session[] = [];
    const hub = new Hub(router, { onKick: () => {}, onRelieved: () => {} });
    const input = new Input({
      host: bench.host,
      members: new Members({ roster: loneRoster(), hub, byUser: new SessionsByUser() }),
      everyone: { channel: undefined },
      router,
      presence: undefined,
      idPrefix: 'i.',
      maxListUsers: 10,
      maxGroups: 10,
      maxRefused: 10,
      replay: { router, hub, highWaterBytes: 1_000, attempts: 1 },
      pause: (one) => paused.push(one),
      takeTicket: () => ({ ok: false, close: 'unavailable', reason: 'full' }),
      refreshed: () => {},
      moveFailed: () => {},
      count: () => {},
    });
    for (const to of ['user:bob', { users: ['bob', 'carol'] }]) {
      const frame = Buffer.from(JSON.stringify({ type: 'publish', to, data: 1 }));
      input.read(session, frame, 0, frame.length);
      expect(paused.splice(0)).toEqual([session]);
    }
    expect(router.taken).toHaveLength(2);
  });
});
