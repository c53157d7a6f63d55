import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Member, MemoryRegistry, memoryMembership, RingWatcher } from '@ringway/membership';
import { buildRing } from '@ringway/ring';
import { createLogger, readSettings } from '@ringway/service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryLog } from '../src/log/memory.ts';
import { Tenures } from '../src/log/tenures.ts';
import { type OpenedRouter, openRouter } from '../src/router/open-router.ts';
import type { Outcome } from '../src/router/port.ts';
import { nodeSettings } from '../src/settings.ts';
import { clusterKeys, waitFor } from './support/cluster.ts';
import { RecordedChannels } from './support/recorded-channels.ts';

/** A ring router with its vigil, on clocks of which the test can let the one of the wall jump. */
class Bench implements AsyncDisposable {
  readonly local = new RecordedChannels();
  readonly member: Member;
  readonly opened: OpenedRouter;
  skew = 0;
  private readonly watcher: RingWatcher;
  private readonly server: Server;

  private constructor(id: string, watcher: RingWatcher, server: Server) {
    this.watcher = watcher;
    this.server = server;
    const now = (): number => performance.now();
    const incarnation = `${id}-i1`;
    const tenures = new Tenures(incarnation, now);
    this.opened = openRouter(
      readSettings(nodeSettings, {
        RINGWAY_NODE_ID: id,
        RINGWAY_TICKET_KEYS: 'ticket-key-ticket-key-ticket-key-0001',
        RINGWAY_CLUSTER_KEYS: 'cluster-key-cluster-key-cluster-1',
      }),
      {
        incarnation,
        keys: clusterKeys,
        log: new MemoryLog({
          epochs: tenures,
          channelMessages: 100,
          totalBytes: 1_000_000,
          retentionMs: 60_000,
          channels: 100,
          now,
        }),
        tenures,
        watcher,
        logger: createLogger({ name: id, level: 'silent', pretty: false }),
        random: Math.random,
        now,
        wallClock: () => Date.now() + this.skew,
        onPeerRefused: () => {},
      },
    );
    server.on('upgrade', (request, socket, head) => this.opened.acceptPeer(request, socket, head));
    const { port } = server.address() as AddressInfo;
    this.member = {
      id,
      incarnation,
      publicUrl: 'ws://127.0.0.1:1',
      internalUrl: `http://127.0.0.1:${port}`,
      weight: 1,
      ringFormat: 1,
      protocol: { min: 1, max: 1 },
    };
  }

  static async start(id: string): Promise<Bench> {
    const watcher = new RingWatcher({ membership: memoryMembership(new MemoryRegistry()) });
    await watcher.start();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bench = new Bench(id, watcher, server);
    await bench.opened.start(bench.local, () => watcher.current);
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.opened.calm();
    await this.opened.router.stop();
    await this.watcher.close();
    this.server.closeAllConnections();
    this.server.close();
  }
}

describe('a node that stood still', () => {
  let first: Bench;
  let second: Bench;
  let channel: string;
  beforeEach(async () => {
    [first, second] = [await Bench.start('node-1'), await Bench.start('node-2')];
    const both = buildRing([first.member, second.member]);
    let n = 0;
    while (both.owner(`group:${n}`)?.id !== 'node-1') n++;
    channel = `group:${n}`;
  });
  afterEach(() => Promise.all([first, second].map((bench) => bench[Symbol.asyncDispose]())));

  /** The other sees both of them; the first sees what the test says. */
  async function see(alone: boolean): Promise<void> {
    const both = buildRing([first.member, second.member]);
    second.opened.setRing(both);
    first.opened.setRing(alone ? buildRing([first.member]) : both);
    await waitFor(() => second.opened.counts.peers.open === 1, 'the link');
    await first.local.join(first.opened.router, channel);
    // nothing else is on its way then that could be the first to be read
    publish('before');
    await waitFor(() => first.local.data(channel).length === 1, 'what was said before');
  }

  function publish(data: string): void {
    const { router } = second.opened;
    router.publish({ channel, from: '"user:a"', id: `"${data}"`, data, ephemeral: false });
  }

  it('and sees nobody else reads what had come: nobody was there to act in its place', async () => {
    await see(true);
    first.skew = 60_000;
    publish('1');
    publish('2');
    await waitFor(() => first.local.data(channel).length === 3, 'both');
    expect(first.local.data(channel)).toEqual(['before', '1', '2']);
    expect([first.opened.counts.stops, second.opened.counts.peers.open]).toEqual([0, 1]);
  });

  it('and sees another throws away what had come, and begins anew', async () => {
    await see(false);
    await waitFor(() => first.opened.counts.peers.open === 1, 'the link back');
    first.skew = 60_000;
    publish('lost');
    await waitFor(() => first.opened.counts.stops === 1, 'it to notice');
    await waitFor(() => second.opened.counts.peers.open === 1, 'the link again');
    expect(first.local.data(channel)).toEqual(['before']);
  });

  it('and sees another refuses what its clients had said: they say it again, in order, or have done so elsewhere', async () => {
    await see(false);
    await waitFor(() => first.opened.counts.peers.open === 1, 'the link back');
    const { router } = first.opened;
    const outcomes: string[] = [];
    const say = (id: string): void => {
      const done = (outcome: Outcome): void => {
        outcomes.push(`${id} ${outcome.kind === 'failed' ? outcome.code : 'published'}`);
      };
      router.publish({ channel, from: '"user:b"', id: `"${id}"`, data: '1', ephemeral: false, done });
    };
    first.skew = 60_000;
    say('1');
    say('2');
    expect(outcomes).toEqual(['1 unavailable', '2 unavailable']);
    await waitFor(() => {
      say('again');
      return outcomes.at(-1) === 'again published';
    }, 'it to act again');
    expect(first.opened.counts.stops).toBe(1);
  });
});
