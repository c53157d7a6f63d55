import { fileURLToPath } from 'node:url';
import { launch, type RunningProcess } from '@ringway/testkit';
import { onCore } from '../support/proc.ts';
import type { Seat } from './peer.ts';

/** A started script of servers/, on the server core. */
export interface Server {
  readonly process: RunningProcess;
  /** Where its clients connect. */
  readonly port: number;
}

/** Starts a script of servers/ and waits until it says its port. */
export async function startServer(script: string, ...args: readonly (string | number)[]): Promise<Server> {
  const path = fileURLToPath(new URL(`./servers/${script}`, import.meta.url));
  const [command = '', ...rest] = [
    ...onCore('server'),
    process.execPath,
    '--conditions=@ringway/source',
    '--no-warnings',
    path,
    ...args.map(String),
  ];
  const running = await launch({ command, args: rest, name: script, graceMs: 500 });
  try {
    const [, port] = await running.waitForOutput(/^port (\d+)$/m, 60_000);
    return { process: running, port: Number(port) };
  } catch (error) {
    await running.kill();
    throw error;
  }
}

/** Users `u0@0`, `u1@1`, … spread over servers, by their ports, that take anybody. */
export function userSeats(
  ports: readonly number[],
  [skip, count]: readonly [skip: number, count: number],
  path: (user: string) => string,
): Seat[] {
  return Array.from({ length: count }, (_, index) => {
    const node = index % ports.length;
    const user = `u${skip + index}@${node}`;
    return { user, node, url: `ws://127.0.0.1:${ports[node]}${path(encodeURIComponent(user))}` };
  });
}

/** The same on servers of {@link startServer}. */
export function seatsOn(
  servers: readonly Server[],
  which: readonly [skip: number, count: number],
  path: (user: string) => string,
): Seat[] {
  return userSeats(
    servers.map(({ port }) => port),
    which,
    path,
  );
}

/** Ends processes at once: a bench has no more use for them. */
export async function killAll(processes: readonly RunningProcess[]): Promise<void> {
  await Promise.all(processes.map((each) => each.kill()));
}
