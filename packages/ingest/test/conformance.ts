import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterProcess, waitFor } from '@ringway/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sent, TestBroker } from './support/broker.ts';
import { ingestProcess } from './support/ingest-process.ts';
import { type Got, Sink } from './support/sink.ts';

const USERS = ['alice', 'bob', 'carol', 'dave'] as const;
const TIMEOUT = 60_000;

/** What a test of one source alone may use of the suite. */
export interface Bench<B extends TestBroker> {
  readonly broker: B;
  readonly sink: Sink;
  /** Another one for each test. */
  readonly queue: string;
  /** What each user's session got. */
  readonly got: ReadonlyMap<string, readonly Got[]>;
  /** Starts an ingest, and waits until it is ready. */
  start(env?: Readonly<Record<string, string>>, mapping?: object): Promise<ClusterProcess>;
  /** Numbered events, for one user after the other. */
  events(from: number, to: number): Sent[];
  /** Waits until the sessions have the events 0 to `count`, then sees that each has its own once and in order. */
  arrived(count: number): Promise<void>;
  /** Waits until the queue has nothing for its readers. */
  settled(): Promise<unknown>;
  /** Waits until so many are read, and none of them can be published. */
  stuck(ingest: ClusterProcess, count: number): Promise<unknown>;
}

/** What every source must do, shown on a real broker with real nodes behind; and what one of them must do besides. */
export function sourceConformance<B extends TestBroker>(
  name: string,
  startBroker: () => Promise<B>,
  besides: (bench: Bench<B>) => void,
): void {
  describe(`ingest from ${name}`, { timeout: TIMEOUT }, () => {
    let broker: B;
    let folder: string;
    let sink: Sink;
    let got: Map<string, Got[]>;
    let queue = '';
    let cases = 0;
    let started: ClusterProcess[] = [];

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'ringway-ingest-'));
      broker = await startBroker();
    }, 120_000);

    afterAll(async () => {
      await broker?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    });

    beforeEach(async () => {
      sink = await Sink.start();
      got = new Map();
      for (const user of USERS) got.set(user, await sink.listen(user));
      queue = `events-${++cases}`;
      await broker.create(queue);
    }, 60_000);

    afterEach(async () => {
      broker.heal();
      await Promise.all(started.map((one) => one[Symbol.asyncDispose]()));
      started = [];
      await sink[Symbol.asyncDispose]();
    });

    async function start(
      env: Readonly<Record<string, string>> = {},
      mapping?: object,
    ): Promise<ClusterProcess> {
      const ingest = await ingestProcess(sink, folder, { ...broker.env(queue), ...env }, mapping);
      started.push(ingest);
      await ingest.start();
      return ingest;
    }

    function events(from: number, to: number): Sent[] {
      return Array.from({ length: to - from }, (_, i) => {
        const n = from + i;
        const user = USERS[n % USERS.length] as string;
        return { key: user, body: JSON.stringify({ to: user, n }) };
      });
    }

    function numbers(user: string): (number | undefined)[] {
      return (got.get(user) ?? []).map(({ data }) => data.n);
    }

    async function arrived(count: number): Promise<void> {
      await waitFor(() => USERS.reduce((sum, user) => sum + numbers(user).length, 0) >= count, {
        message: `${count} messages`,
        timeout: 30_000,
      }).catch((error: unknown) => {
        throw new Error(`${started.map(({ output }) => output.slice(-4_000)).join('\n')}`, { cause: error });
      });
      for (const [i, user] of USERS.entries()) {
        const own = Array.from({ length: count }, (_, n) => n).filter((n) => n % USERS.length === i);
        expect(numbers(user), user).toEqual(own);
      }
    }

    const settled = (): Promise<unknown> =>
      waitFor(async () => (await broker.waiting(queue)) === 0, {
        message: 'nothing to wait in the queue',
        timeout: 20_000,
      });

    const stuck = (ingest: ClusterProcess, count: number): Promise<unknown> =>
      waitFor(
        async () =>
          (await ingest.metric('ringway_ingest_in_flight')) === count &&
          (await ingest.metric('ringway_ingest_retries_total')) > 0,
        { message: `${count} messages in flight`, timeout: 30_000 },
      );

    it('publishes each event once, in order for each key, and acknowledges it', async () => {
      // on a busy machine an answer may be late: what is said again then would be counted as a duplicate
      const ingest = await start({ RINGWAY_INGEST_PUBLISH_TIMEOUT: '20s' });
      await broker.send(queue, events(0, 120));
      await arrived(120);
      await settled();
      expect(await ingest.metric('ringway_ingest_messages_total', { result: 'published' })).toBe(120);
      await waitFor(async () => (await ingest.metric('ringway_ingest_lag_messages')) === 0, {
        message: 'no lag',
      });
      const [first] = got.get('alice') ?? [];
      expect(first?.from).toBe('service:ingest');
      expect(first?.id).not.toBe('');
      await ingest.stop();
      // a reader's end is what shows RabbitMQ's unacknowledged messages
      expect(await broker.waiting(queue)).toBe(0);
    });

    it('sets aside what can never be published, with the reason, and goes on', async () => {
      const ingest = await start();
      const [one, ...others] = events(0, 8);
      await broker.send(queue, [
        one as Sent,
        { key: 'alice', body: '{"to": "alice", "n": ' },
        { key: 'bob', body: '{"n": 1}' },
        { key: 'carol', body: Buffer.from([0x22, 0xff, 0x22]) },
        { key: 'dave', body: JSON.stringify({ to: 'x'.repeat(300) }) },
        { key: 'alice', body: JSON.stringify({ to: 'alice', padding: 'x'.repeat(512 * 1024) }) },
        ...others,
      ]);
      await arrived(8);
      await settled();
      const dead = await waitFor(
        async () => {
          const all = await broker.dead(queue);
          return all.length >= 5 && all;
        },
        { message: 'five set aside' },
      );
      expect(dead.map(({ reason }) => reason).sort()).toEqual([
        ...['frame_too_big', 'invalid_channel', 'mapping', 'not_json', 'not_utf8'],
      ]);
      expect(dead.find(({ reason }) => reason === 'mapping')?.body).toBe('{"n": 1}');
      expect(await ingest.metric('ringway_ingest_set_aside_total')).toBe(5);
      expect(await ingest.metric('ringway_ingest_set_aside_total', { reason: 'not_json' })).toBe(1);
    });

    it('keeps trying while the nodes cannot be reached, and keeps the order', async () => {
      const ingest = await start({ RINGWAY_INGEST_MAX_IN_FLIGHT: '30' });
      sink.cut();
      await broker.send(queue, events(0, 60));
      // no more than it may: the rest stays in the queue
      await stuck(ingest, 30);
      sink.heal();
      await arrived(60);
      await settled();
    });

    it('killed between publishing and acknowledging, stores nothing twice', async () => {
      const ingest = await start();
      sink.cut();
      await broker.send(queue, events(0, 20));
      await stuck(ingest, 20);
      broker.cut();
      sink.heal();
      await arrived(20);
      await ingest.kill();
      broker.heal();
      await ingest.start();
      await settled();
      await broker.send(queue, events(20, 40));
      await arrived(40);
      expect(
        await ingest.metric('ringway_ingest_messages_total', { result: 'duplicate' }),
      ).toBeGreaterThanOrEqual(broker.cutsClean ? 20 : 0);
    });

    it('stops within its grace, with 0, and gives back what it could not finish', async () => {
      const ingest = await start({ RINGWAY_STOP_GRACE: '1s' });
      sink.cut();
      await broker.send(queue, events(0, 20));
      await stuck(ingest, 20);
      expect(await ingest.stop()).toEqual({ code: 0, signal: null });
      expect(await broker.waiting(queue)).toBe(20);
      sink.heal();
      await ingest.start();
      await arrived(20);
      await settled();
    });

    it('goes on after the broker was away', async () => {
      const ingest = await start();
      await broker.send(queue, events(0, 20));
      await arrived(20);
      await settled();
      await broker.restart();
      await broker.send(queue, events(20, 40));
      await arrived(40);
      await settled();
      expect(ingest.running).toBe(true);
    });

    besides({
      get broker() {
        return broker;
      },
      get sink() {
        return sink;
      },
      get queue() {
        return queue;
      },
      get got() {
        return got;
      },
      start,
      events,
      arrived,
      settled,
      stuck,
    });
  });
}
