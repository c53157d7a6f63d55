import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from './load/jobs.ts';
import { bareWs } from './peers/bare-ws.ts';
import type { Peer, RunningPeer } from './peers/peer.ts';
import { ringway, ringwayOf } from './peers/ringway.ts';
import { socketIo } from './peers/socket-io.ts';
import type { Broken } from './support/broken.ts';
import { Load } from './support/load.ts';
import { cpuMicros, openFilesLimit, residentKib } from './support/proc.ts';
import type { Progress } from './support/progress.ts';
import { type Spread, spread } from './support/stats.ts';
import { digits, spreadText } from './support/table.ts';

/** Many clients who connect, and then say nothing. */
export interface ConnectPlan {
  readonly rounds: number;
  /** Only peers whose names have one of these in them; all when empty. */
  readonly only: readonly string[];
  /** Other checkouts whose Ringway is measured as well. */
  readonly against: readonly string[];
  /** Clients who connect together, for the CPU a connect. */
  readonly connecting: number;
  /** Clients who stay, for the memory a connection; not fewer. */
  readonly idle: number;
}

const NODES = 2;
/** On their way at the same time: the rest of them wait, as they would in a server's backlog. */
const AT_ONCE = 500;
/**
 * Clients who come and go before, so that neither first-time work nor first-time memory is counted: a node that has run
 * for a minute has compiled what a connect needs.
 */
const WARM_UP = 4000;
/** Those of them after whom memory is looked at. */
const FIRST = 1000;
/** Files that a process of the load needs besides its sockets. */
const SPARE_FILES = 200;

function peersOf({ only, against }: ConnectPlan): Peer[] {
  const peers = [bareWs, socketIo, ...against.flatMap((root) => ringwayOf(root).slice(0, 1)), ringway];
  return peers.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
}

export interface ConnectRow {
  readonly peer: string;
  /** Clients who were connected in the end. */
  readonly idle: number;
  /** Microseconds of CPU a connect, `/route` included where there is one: servers and brokers. */
  readonly cpu: Spread;
  /** Connects a second. */
  readonly rate: Spread;
  /** Resident KiB a connection that says nothing: processes that hold connections. */
  readonly memory: Spread;
}

export function connectSteps(plan: ConnectPlan): number {
  return plan.rounds * peersOf(plan).length;
}

export async function measureConnect(
  plan: ConnectPlan,
  progress: Progress,
  broken: Broken,
): Promise<ConnectRow[]> {
  const idle = Math.min(plan.idle, openFilesLimit() - SPARE_FILES);
  const connecting = Math.min(plan.connecting, idle);
  const rounds = new Map<string, { cpu: number; rate: number; memory: number }[]>();
  for (let round = 1; round <= plan.rounds; round += 1) {
    for (const peer of peersOf(plan)) {
      const step = `${connecting} connects, ${idle} idle, round ${round}: ${peer.name}`;
      progress.step(step);
      const measured = await broken.or(step, () => measureOnce(peer, connecting, idle));
      if (measured) rounds.set(peer.name, [...(rounds.get(peer.name) ?? []), measured]);
    }
  }
  return [...rounds].map(([peer, results]) => ({
    peer,
    idle,
    cpu: spread(results.map(({ cpu }) => cpu)),
    rate: spread(results.map(({ rate }) => rate)),
    memory: spread(results.map(({ memory }) => memory)),
  }));
}

async function measureOnce(
  peer: Peer,
  connecting: number,
  idle: number,
): Promise<{ cpu: number; rate: number; memory: number }> {
  const warmUp = Math.max(FIRST, Math.min(WARM_UP, connecting));
  await using running = await peer.start(NODES);
  await comeAndGo(peer, running, [0, FIRST]);
  await steady(running);
  const memoryBefore = residentKib(running.holders);
  // behind that: what they leave is used again, and would make the others seem small
  if (warmUp > FIRST) await comeAndGo(peer, running, [FIRST, warmUp - FIRST]);
  await using first = new Load();
  const cpuBefore = cpuMicros(running.pids);
  const { ms } = await connect(first, peer, running, [warmUp, connecting]);
  const cpu = (cpuMicros(running.pids) - cpuBefore) / connecting;
  await using rest = new Load();
  if (idle > connecting) await connect(rest, peer, running, [warmUp + connecting, idle - connecting]);
  await steady(running);
  return {
    cpu,
    rate: connecting / (ms / 1000),
    memory: (residentKib(running.holders) - memoryBefore) / idle,
  };
}

async function comeAndGo(peer: Peer, running: RunningPeer, which: readonly [number, number]): Promise<void> {
  await using load = new Load();
  await connect(load, peer, running, which);
}

async function connect(
  load: Load,
  peer: Peer,
  running: RunningPeer,
  [skip, count]: readonly [number, number],
): Promise<{ ms: number }> {
  const asked = running.callers?.(count, skip);
  const callers: Caller[] = asked
    ? asked.authorizations.map((authorization) => ({ authorization }))
    : (await running.seats(count, skip)).map(({ user, url }) => ({ user, url }));
  const lookup = asked && { lookup: asked.lookup };
  return load.connect({ speech: peer.speech, callers, atOnce: AT_ONCE, routes: [], ...lookup }, 120_000);
}

/** Waits until memory has stood still for a second, at most ten. */
async function steady({ holders }: RunningPeer): Promise<void> {
  let last = residentKib(holders);
  for (let second = 0; second < 10; second += 1) {
    await sleep(1000);
    const now = residentKib(holders);
    if (Math.abs(now - last) < last / 200) return;
    last = now;
  }
}

/** The rows as text, with a head. */
export function connectTable(rows: readonly ConnectRow[]): string[][] {
  const bare = rows.find(({ peer }) => peer === bareWs.name);
  const beside = (value: Spread, other: Spread | undefined): string =>
    other ? digits(value.median / other.median) : '-';
  return [
    ['connections', 'CPU us/connect', 'x bare', 'connects/s', 'idle', 'KiB/idle connection', 'x bare'],
    ...rows.map((row) => [
      `${NODES} nodes: ${row.peer}`,
      spreadText(row.cpu),
      beside(row.cpu, bare?.cpu),
      String(Math.round(row.rate.median)),
      String(row.idle),
      spreadText(row.memory),
      beside(row.memory, bare?.memory),
    ]),
  ];
}
