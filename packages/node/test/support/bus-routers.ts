import { randomBytes } from 'node:crypto';
import { createLogger } from '@ringway/service';
import type { RedisLog } from '../../src/log/redis.ts';
import { redisAddress } from '../../src/log/redis-url.ts';
import { BroadcastRedis } from '../../src/router/bus/broadcast-redis.ts';
import { BusRouter } from '../../src/router/bus/bus-router.ts';
import { DirectoryRedis } from '../../src/router/bus/directory-redis.ts';
import type { Bus } from '../../src/router/bus/port.ts';
import { RecordedChannels, type RouterCluster, type RouterNode } from './recorded-channels.ts';
import { redisLog } from './redis-log.ts';
import { KEPT } from './ring-routers.ts';

export interface BusRoutersOptions {
  readonly scheme: 'directory' | 'broadcast';
  readonly log: 'memory' | 'redis';
  readonly redisUrl: string;
  readonly ttlMs?: number;
  readonly queueLength?: number;
  readonly timeoutMs?: number;
  readonly patienceMs?: number;
}

/** A router over a bus in Redis; no sessions, no registry. */
export class BusNode implements RouterNode {
  readonly local = new RecordedChannels();
  readonly router: BusRouter;
  readonly bus: Bus;
  readonly counts = { refused: 0, unknown: 0, unfit: 0, full: 0, unreadable: 0 };
  /** As the directory names it. */
  readonly name: string;
  private readonly log: RedisLog | undefined;

  constructor(nodeId: string, options: BusRoutersOptions) {
    const { scheme, redisUrl, log, ttlMs = 10_000, queueLength = 10_000, timeoutMs = 5_000 } = options;
    const incarnation = `i-${randomBytes(4).toString('hex')}`;
    const { counts } = this;
    this.name = `${nodeId}#${incarnation}`;
    const common = {
      address: redisAddress(redisUrl.split(',')),
      timeoutMs,
      name: nodeId,
      cluster: 'test',
      nodeId,
      incarnation,
      logger: createLogger({ name: nodeId, level: 'silent', pretty: false }),
      hooks: {
        failed: (result: 'refused' | 'unknown' | 'unfit') => void counts[result]++,
        full: (count: number) => {
          counts.full += count;
        },
        unreadable: () => void counts.unreadable++,
      },
      random: Math.random,
      now: () => performance.now(),
    };
    this.bus =
      scheme === 'directory'
        ? new DirectoryRedis({ ...common, ttlMs, queueLength })
        : new BroadcastRedis(common);
    this.log =
      log === 'redis'
        ? redisLog(redisUrl, { bounds: { messages: KEPT, bytes: 64_000_000, ageMs: 60_000 }, timeoutMs })
        : undefined;
    this.router = new BusRouter({
      bus: this.bus,
      log: this.log,
      incarnation,
      patienceMs: options.patienceMs ?? 10_000,
      maxWaitingBytes: 64_000_000,
      now: () => performance.now(),
    });
  }

  async start(): Promise<void> {
    await this.log?.start();
    await this.router.start(this.local);
  }

  async stop(): Promise<void> {
    await this.router.stop();
    await this.log?.close();
  }
}

/** Routers over one Redis. */
export class BusRouters implements RouterCluster {
  readonly nodes: readonly BusNode[];

  private constructor(nodes: readonly BusNode[]) {
    this.nodes = nodes;
  }

  static async start(count: number, options: BusRoutersOptions): Promise<BusRouters> {
    const nodes = Array.from({ length: count }, (_, i) => new BusNode(`node-${i + 1}`, options));
    await Promise.all(nodes.map((node) => node.start()));
    return new BusRouters(nodes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}
