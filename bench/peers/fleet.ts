import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Cluster, startCluster, startDevConsul, startRedis } from '@ringway/testkit';
import { onCore } from '../support/proc.ts';
import { killAll, type Server, startServer } from './server.ts';

/** Ringway as a fleet that changes; default settings but for what one address that stands for thousands asks for. */
export interface RingwayFleet extends AsyncDisposable {
  readonly cluster: Cluster;
}

export async function startRingwayFleet(nodes: number): Promise<RingwayFleet> {
  const consul = await startDevConsul();
  try {
    const [taskset, list, core] = onCore('load');
    if (taskset && list && core) {
      await promisify(execFile)(taskset, ['-a', '-p', list, core, String(consul.process.pid)]);
    }
    const cluster = await startCluster({
      nodes,
      consul,
      startMs: 60_000,
      prefix: onCore('server'),
      env: { RINGWAY_LOG_LEVEL: 'info' },
      nodeEnv: { RINGWAY_MAX_UNAUTHENTICATED: '20000' },
    });
    return {
      cluster,
      async [Symbol.asyncDispose]() {
        await cluster[Symbol.asyncDispose]();
        await consul[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await consul[Symbol.asyncDispose]();
    throw error;
  }
}

/** Socket.IO with its Redis streams adapter and connection state recovery. */
export interface SocketIoFleet extends AsyncDisposable {
  readonly servers: readonly Server[];
}

export async function startSocketIoFleet(nodes: number): Promise<SocketIoFleet> {
  const redis = await startRedis({ prefix: onCore('server') });
  try {
    const servers = await Promise.all(
      Array.from({ length: nodes }, () => startServer('socket-io-recovery.ts', redis.port)),
    );
    return {
      servers,
      async [Symbol.asyncDispose]() {
        await killAll(servers.map((server) => server.process));
        await redis[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await redis[Symbol.asyncDispose]();
    throw error;
  }
}
