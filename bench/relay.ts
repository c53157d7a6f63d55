import type { SendResult } from './load/jobs.ts';
import { bareWs } from './peers/bare-ws.ts';
import { bound } from './peers/bound.ts';
import { hasNats, nats } from './peers/nats.ts';
import type { Peer, RunningPeer } from './peers/peer.ts';
import { ringway, ringwayAnswered, ringwayOf } from './peers/ringway.ts';
import { socketIo } from './peers/socket-io.ts';
import type { Broken } from './support/broken.ts';
import { Load } from './support/load.ts';
import type { Progress } from './support/progress.ts';
import { type Spread, spread } from './support/stats.ts';
import { digits, spreadText } from './support/table.ts';

/** What is measured: one-to-one messages of 128 bytes between 64 pairs of users, each pair across two nodes. */
export interface RelayPlan {
  readonly nodes: readonly number[];
  readonly rounds: number;
  /** Only peers whose names have one of these in them; all when empty. */
  readonly only: readonly string[];
  /** Other checkouts whose Ringway is measured as well. */
  readonly against: readonly string[];
  /** At full load, which comes first; half of it is enough for what comes after. */
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Others than the usual ones. */
  readonly peers?: readonly Peer[];
}

/** Pairs, a multiple of every number of nodes. */
const PAIRS = 64;
/** Messages that a pair has under way at full load. */
const WINDOW = 64;
const PER_SECOND = 2000;

function peersOf({ only, against, peers: given }: RelayPlan): readonly Peer[] {
  const peers = given ? [...given] : usualPeers(against);
  return peers.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
}

function usualPeers(against: readonly string[]): Peer[] {
  const peers = [bareWs, bound, ...(hasNats() ? [nats] : []), socketIo];
  return [...peers, ...against.flatMap((root) => ringwayOf(root)), ringway, ringwayAnswered];
}

/** Names of the two loads. */
export const FULL = 'full load';
export const PACED = `${PER_SECOND}/s`;
const loads = [
  { name: FULL, load: { window: WINDOW } },
  { name: PACED, load: { perSecond: PER_SECOND } },
] as const;

/** One peer with one number of nodes under one load, over all rounds. */
export interface RelayRow {
  readonly peer: string;
  readonly nodes: number;
  readonly load: string;
  /** Microseconds of CPU a message: servers and brokers. */
  readonly cpu: Spread;
  /** Messages a second. */
  readonly rate: Spread;
  /** Share of their core that servers and brokers used. */
  readonly busy: Spread;
  /** Frames between nodes and brokers a message. */
  readonly frames: Spread | undefined;
  readonly latency: { readonly p50: Spread; readonly p99: Spread } | undefined;
  readonly sent: number;
  readonly delivered: number;
  readonly lost: number;
  readonly doubled: number;
  readonly disordered: number;
}

interface Round extends SendResult {
  readonly frames: number | undefined;
}

/** How many steps {@link measureRelay} reports. */
export function relaySteps(plan: RelayPlan): number {
  return plan.nodes.length * plan.rounds * peersOf(plan).length;
}

/** Measures every peer in turns, round by round, so that a slow minute of the machine falls on all of them. */
export async function measureRelay(plan: RelayPlan, progress: Progress, broken: Broken): Promise<RelayRow[]> {
  const rows: RelayRow[] = [];
  const peers = peersOf(plan);
  for (const nodes of plan.nodes) {
    const rounds = new Map<string, Round[]>();
    for (let round = 1; round <= plan.rounds; round += 1) {
      for (const peer of peers) {
        const step = `one-to-one, ${nodes} nodes, round ${round}: ${peer.name}`;
        progress.step(step);
        const measured = await broken.or(step, () => measureOnce(peer, nodes, plan));
        for (const [load, result] of measured ?? []) {
          const key = `${load}\n${peer.name}`;
          rounds.set(key, [...(rounds.get(key) ?? []), result]);
        }
      }
    }
    for (const load of loads) {
      for (const peer of peers) {
        const measured = rounds.get(`${load.name}\n${peer.name}`);
        if (measured) rows.push(rowOf(peer.name, nodes, load.name, measured));
      }
    }
  }
  return rows;
}

async function measureOnce(peer: Peer, nodes: number, plan: RelayPlan): Promise<Map<string, Round>> {
  await using running = await peer.start(nodes);
  await using load = new Load();
  const seats = await running.seats(2 * PAIRS);
  const pairs = Array.from({ length: PAIRS }, (_, index) => {
    const to = PAIRS + receiver(index, nodes, peer.oneHop ?? false);
    return { from: index, to, name: seats[to]?.user ?? '' };
  });
  const callers = seats.map(({ user, url }) => ({ user, url }));
  await load.connect({ speech: peer.speech, callers, atOnce: 64, pairs });
  await running.known?.(callers.length);
  const results = new Map<string, Round>();
  let before = { sent: 0, delivered: 0, lost: 0, doubled: 0, disordered: 0 };
  for (const [index, { name, load: how }] of loads.entries()) {
    const framesBefore = await running.frames?.();
    const warmUpMs = index === 0 ? plan.warmUpMs : plan.warmUpMs / 2;
    const result = await load.send({ load: how, warmUpMs, measureMs: plan.measureMs, pids: running.pids });
    const frames = await framesSince(running, framesBefore);
    const own = {
      sent: result.sent - before.sent,
      delivered: result.delivered - before.delivered,
      lost: result.lost - before.lost,
      doubled: result.doubled - before.doubled,
      disordered: result.disordered - before.disordered,
    };
    results.set(name, { ...result, ...own, frames: frames === undefined ? undefined : frames / own.sent });
    before = result;
  }
  return results;
}

/** The place, among the receivers, of the one to whom the sender of that place writes. */
function receiver(index: number, nodes: number, sameNode: boolean): number {
  if (sameNode || nodes === 1) return index;
  // Receivers are spread as senders are; each block of senders, one a node, writes to the nodes so many further on.
  const block = Math.floor(index / nodes);
  return block * nodes + ((index + 1 + (block % (nodes - 1))) % nodes);
}

async function framesSince(running: RunningPeer, before: number | undefined): Promise<number | undefined> {
  const after = await running.frames?.();
  return before === undefined || after === undefined ? undefined : after - before;
}

function rowOf(peer: string, nodes: number, load: string, rounds: readonly Round[]): RelayRow {
  const of = (read: (round: Round) => number): Spread => spread(rounds.map(read));
  const total = (read: (round: Round) => number): number =>
    rounds.reduce((sum, round) => sum + read(round), 0);
  return {
    peer,
    nodes,
    load,
    cpu: of(({ measured }) => measured.cpuMicros / measured.delivered),
    rate: of(({ measured }) => measured.delivered / (measured.ms / 1000)),
    busy: of(({ measured }) => measured.cpuMicros / 1000 / measured.ms),
    frames: rounds.some(({ frames }) => frames === undefined) ? undefined : of(({ frames }) => frames ?? 0),
    latency: rounds.some(({ latency }) => latency === undefined)
      ? undefined
      : { p50: of(({ latency }) => latency?.p50 ?? 0), p99: of(({ latency }) => latency?.p99 ?? 0) },
    sent: total(({ sent }) => sent),
    delivered: total(({ delivered }) => delivered),
    lost: total(({ lost }) => lost),
    doubled: total(({ doubled }) => doubled),
    disordered: total(({ disordered }) => disordered),
  };
}

/** The rows as text, with a head. */
export function relayTable(rows: readonly RelayRow[]): string[][] {
  const head = [
    'one-to-one, 128 bytes',
    'CPU us/message',
    'x bare',
    'messages/s',
    'server core',
    'frames',
    'p50/p99 ms',
  ];
  const counts = ['sent', 'lost', 'doubled', 'disordered'];
  return [
    [...head, ...counts],
    ...rows.map((row) => {
      const bare = rows.find(
        ({ peer, nodes, load }) => peer === bareWs.name && nodes === row.nodes && load === row.load,
      );
      return [
        `${row.nodes} nodes, ${row.load}: ${row.peer}`,
        spreadText(row.cpu),
        bare ? digits(row.cpu.median / bare.cpu.median) : '-',
        String(Math.round(row.rate.median)),
        `${Math.round(row.busy.median * 100)} %`,
        row.frames ? digits(row.frames.median) : '-',
        row.latency ? `${digits(row.latency.p50.median)}/${digits(row.latency.p99.median)}` : '-',
        String(row.sent),
        String(row.lost),
        String(row.doubled),
        String(row.disordered),
      ];
    }),
  ];
}
