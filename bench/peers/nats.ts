import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts, launch, waitFor } from '@ringway/testkit';
import { onCore } from '../support/proc.ts';
import type { Peer } from './peer.ts';
import { killAll, userSeats } from './server.ts';

const BINARY = resolve(import.meta.dirname, '../../.tools/nats-server');

/** Whether there is a nats-server to measure: `scripts/setup.sh nats` brings one, where Go is. */
export function hasNats(): boolean {
  return existsSync(BINARY);
}

/** A route between two nodes of NATS, as its monitoring tells it. */
interface Routes {
  readonly routes: readonly { readonly remote_id: string; readonly in_msgs: number }[];
}

/**
 * A cluster of NATS servers with WebSocket listeners, as it comes: clients speak its own protocol in binary frames, one
 * subject a user. A message goes from node to node on a route, and only where somebody has subscribed to it.
 */
export const nats: Peer = {
  name: 'NATS over WebSocket',
  speech: 'nats',
  async start(nodes) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-nats-'));
    const ports = await freePorts(4 * nodes);
    const places = Array.from({ length: nodes }, (_, index) => {
      const [client = 0, cluster = 0, web = 0, monitor = 0] = ports.slice(4 * index);
      return { client, cluster, web, monitor };
    });
    const routes = places.map(({ cluster }) => `"nats://127.0.0.1:${cluster}"`).join(', ');
    const [command = BINARY, ...args] = [...onCore('server'), BINARY];
    const processes = await Promise.all(
      places.map(({ client, cluster, web, monitor }, index) => {
        const file = join(folder, `${index}.conf`);
        writeFileSync(
          file,
          `server_name: n${index}\nlisten: "127.0.0.1:${client}"\nhttp: "127.0.0.1:${monitor}"\n` +
            `websocket { listen: "127.0.0.1:${web}", no_tls: true }\n` +
            `cluster { name: bench, listen: "127.0.0.1:${cluster}", routes: [${routes}] }\n`,
        );
        return launch({ command, args: [...args, '-c', file], name: `nats-${index}` });
      }),
    );
    const end = async (): Promise<void> => {
      await killAll(processes);
      rmSync(folder, { recursive: true });
    };
    const ask = <T>(what: string): Promise<T[]> =>
      Promise.all(
        places.map(async ({ monitor }) => (await fetch(`http://127.0.0.1:${monitor}/${what}`)).json() as T),
      );
    try {
      await waitFor(
        async () =>
          (await ask<Routes>('routez')).every(
            (node) => new Set(node.routes.map((route) => route.remote_id)).size === nodes - 1,
          ),
        { message: 'every NATS node to have a route to each other', timeout: 60_000 },
      );
    } catch (error) {
      await end();
      throw error;
    }
    const pids = processes.map(({ pid }) => pid);
    return {
      pids,
      holders: pids,
      seats: async (count, skip = 0) =>
        userSeats(
          places.map(({ web }) => web),
          [skip, count],
          () => '/',
        ),
      async known(clients) {
        await waitFor(
          async () =>
            (await ask<{ num_subscriptions: number }>('subsz')).every(
              (node) => node.num_subscriptions >= clients,
            ),
          { message: `every NATS node to know of ${clients} subscriptions`, timeout: 60_000 },
        );
      },
      async frames() {
        const perNode = await ask<Routes>('routez');
        return perNode.flatMap((node) => node.routes).reduce((sum, route) => sum + route.in_msgs, 0);
      },
      [Symbol.asyncDispose]: end,
    };
  },
};
