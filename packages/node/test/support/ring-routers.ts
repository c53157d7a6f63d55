import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Member } from '@ringway/membership';
import { buildRing, type Ring } from '@ringway/ring';
import { createLogger } from '@ringway/service';
import { MemoryLog } from '../../src/log/memory.ts';
import type { Log } from '../../src/log/port.ts';
import { RedisLog } from '../../src/log/redis.ts';
import { redisAddress } from '../../src/log/redis-url.ts';
import { Tenures } from '../../src/log/tenures.ts';
import { Peers } from '../../src/peers/peers.ts';
import { RingRouter } from '../../src/router/ring-router.ts';
import { clusterKeys, waitFor } from './cluster.ts';
import { RecordedChannels, type RouterCluster, type RouterNode } from './recorded-channels.ts';

/** So many messages a channel are kept. */
export const KEPT = 20;

export interface RingRoutersOptions {
  readonly linkTimeoutMs?: number;
  /** The log is there; in memory unless given. */
  readonly redisUrl?: string;
}

/** A ring router with its links, and a listener for those of the others; no sessions, no registry. */
class RingNode implements RouterNode {
  readonly local = new RecordedChannels();
  readonly router: RingRouter;
  readonly peers: Peers;
  readonly id: string;
  readonly incarnation: string;
  private readonly server: Server = createServer();

  private readonly log: Log;

  constructor(id: string, { linkTimeoutMs = 3_000, redisUrl }: RingRoutersOptions) {
    this.id = id;
    this.incarnation = `i-${randomBytes(4).toString('hex')}`;
    const now = (): number => performance.now();
    const tenures = new Tenures(this.incarnation, now);
    this.peers = new Peers({
      self: { id, incarnation: this.incarnation },
      cluster: 'ringway',
      keys: clusterKeys,
      linkTimeoutMs,
      highWaterBytes: 1_000_000,
      maxWaitingBytes: 16_000_000,
      maxFrameBytes: 4_000_000,
      checksum: () => this.router.ring.version.checksum,
      awake: () => true,
      now,
      nonce: () => randomBytes(16).toString('base64url'),
      onMismatch: () => {},
      onRefused: () => {},
    });
    this.log = redisUrl === undefined ? memoryLog(tenures, now) : redisLog(redisUrl, id, now);
    this.router = new RingRouter({
      selfId: id,
      incarnation: this.incarnation,
      ring: buildRing<Member>([]),
      peers: this.peers,
      log: this.log,
      tenures,
      homeTimeoutMs: 5_000,
      maxWaitingBytes: 16_000_000,
      now,
      awake: () => true,
      presence: { debounceMs: 1_000, maxStreams: 8 },
    });
    this.server.on('upgrade', (request, socket, head) => this.peers.accept(request, socket, head));
  }

  async start(): Promise<Member> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    if (this.log instanceof RedisLog) await this.log.start();
    await this.router.start(this.local);
    return {
      id: this.id,
      incarnation: this.incarnation,
      publicUrl: 'ws://127.0.0.1:1',
      internalUrl: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`,
      weight: 1,
      ringFormat: 1,
      protocol: { min: 1, max: 1 },
    };
  }

  async stop(): Promise<void> {
    await this.router.stop();
    await this.log.close();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

function memoryLog(epochs: Tenures, now: () => number): Log {
  return new MemoryLog({
    epochs,
    channelMessages: KEPT,
    totalBytes: 64_000_000,
    retentionMs: 60_000,
    channels: 100_000,
    now,
  });
}

function redisLog(url: string, name: string, now: () => number): Log {
  return new RedisLog({
    address: redisAddress([url]),
    cluster: 'ringway',
    bounds: { messages: KEPT, bytes: 64_000_000, ageMs: 60_000 },
    replicas: 0,
    timeoutMs: 2_000,
    name,
    logger: createLogger({ name, level: 'silent', pretty: false }),
    hooks: { failed() {}, answered() {}, unfit() {} },
    random: Math.random,
    now,
  });
}

/** Ring routers with real links between them. */
export class RingRouters implements RouterCluster {
  readonly nodes: readonly RingNode[];
  private readonly ring: Ring<Member>;

  private constructor(nodes: readonly RingNode[], ring: Ring<Member>) {
    this.nodes = nodes;
    this.ring = ring;
  }

  static async start(count: number, options: RingRoutersOptions = {}): Promise<RingRouters> {
    const nodes = Array.from({ length: count }, (_, i) => new RingNode(`node-${i + 1}`, options));
    const members = await Promise.all(nodes.map((node) => node.start()));
    const cluster = new RingRouters(nodes, buildRing(members));
    for (const { router } of nodes) router.setRing(cluster.ring);
    await waitFor(
      () => nodes.every(({ peers }) => peers.counts().open === count - 1 && peers.hearing.hearsHalf()),
      'the links',
    );
    return cluster;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}
