import type { SendResult } from './load/jobs.ts';
import { bareWs } from './peers/bare-ws.ts';
import { bound } from './peers/bound.ts';
import { hasNats, nats } from './peers/nats.ts';
import type { Peer } from './peers/peer.ts';
import { ringway, ringwayAnswered, ringwayOf } from './peers/ringway.ts';
import { socketIo } from './peers/socket-io.ts';
import type { Broken } from './support/broken.ts';
import { Load } from './support/load.ts';
import type { Progress } from './support/progress.ts';
import { type Spread, spread } from './support/stats.ts';
import { digits, spreadText } from './support/table.ts';
import { type Traffic, trafficOf } from './support/traffic.ts';
import { groupOf, oneToOne, type Workload } from './workloads.ts';

/** What is measured: messages of 128 bytes from user to user, and to a group where there is one. */
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
  /** Measured besides, with that number of nodes. */
  readonly group?: { readonly members: number; readonly nodes: number };
}

function peersOf({ only, against, peers: given }: RelayPlan): readonly Peer[] {
  const peers = given ? [...given] : usualPeers(against);
  return peers.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
}

function usualPeers(against: readonly string[]): Peer[] {
  const peers = [bareWs, bound, ...(hasNats() ? [nats] : []), socketIo];
  return [...peers, ...against.flatMap((root) => ringwayOf(root)), ringway, ringwayAnswered];
}

/** One peer with one number of nodes under one load, over all rounds. */
export interface RelayRow {
  /** Name of the workload. */
  readonly workload: string;
  readonly peer: string;
  readonly nodes: number;
  readonly load: string;
  /** Microseconds of CPU a delivery (one-to-one: a message): servers and brokers. */
  readonly cpu: Spread;
  /** Deliveries a second. */
  readonly rate: Spread;
  /** Share of their core that servers and brokers used. */
  readonly busy: Spread;
  /** Frames between nodes and brokers a message. */
  readonly frames: Spread | undefined;
  /** Bytes a message, heartbeats and answers included: between nodes, and into and out of Redis. */
  readonly bytes: { readonly between: Spread; readonly redis: Spread };
  /** Milliseconds from sending to delivery; absent at full load. */
  readonly latency: { readonly p50: Spread; readonly p99: Spread } | undefined;
  /** Messages of all rounds, warm-ups included. */
  readonly sent: number;
  /** Deliveries of them; those that never came, came again, or came behind a later one. */
  readonly delivered: number;
  readonly lost: number;
  readonly doubled: number;
  readonly disordered: number;
}

interface Round extends SendResult {
  readonly frames: number | undefined;
  readonly traffic: Traffic;
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
        const step = `messages, ${nodes} nodes, round ${round}: ${peer.name}`;
        progress.step(step);
        const measured = await broken.or(step, () => measureOnce(peer, nodes, plan));
        for (const [load, result] of measured ?? []) {
          const key = keyOf(load, peer.name);
          rounds.set(key, [...(rounds.get(key) ?? []), result]);
        }
      }
    }
    for (const workload of workloadsOf(plan, nodes)) {
      for (const { name: load } of workload.loads) {
        for (const { name: peer } of peers) {
          const measured = rounds.get(keyOf(workload.name, load, peer));
          if (measured) rows.push(rowOf({ workload: workload.name, peer, nodes, load }, measured));
        }
      }
    }
  }
  return rows;
}

function workloadsOf({ group }: RelayPlan, nodes: number): Workload[] {
  return group?.nodes === nodes ? [oneToOne, groupOf(group.members)] : [oneToOne];
}

function keyOf(...names: string[]): string {
  return names.join('\n');
}

/** Rounds by workload and load. */
async function measureOnce(peer: Peer, nodes: number, plan: RelayPlan): Promise<Map<string, Round>> {
  await using running = await peer.start(nodes);
  const results = new Map<string, Round>();
  for (const workload of workloadsOf(plan, nodes)) {
    await using load = new Load();
    const cast = await workload.cast(peer, running, nodes);
    await load.connect({ speech: peer.speech, ...cast, atOnce: 64 });
    await running.known?.(cast.callers.length);
    let before: SendResult | undefined;
    for (const { name, load: how } of workload.loads) {
      const warmUpMs = before === undefined ? plan.warmUpMs : plan.warmUpMs / 2;
      const [framesBefore, trafficBefore] = await Promise.all([running.frames?.(), trafficOf(running)]);
      const result = await load.send({
        load: how,
        warmUpMs,
        measureMs: plan.measureMs,
        pids: running.pids,
      });
      const [frames, traffic] = await Promise.all([running.frames?.(), trafficOf(running)]);
      const since = (what: 'sent' | 'delivered' | 'lost' | 'doubled' | 'disordered'): number =>
        result[what] - (before?.[what] ?? 0);
      const sent = since('sent');
      results.set(keyOf(workload.name, name), {
        ...result,
        sent,
        delivered: since('delivered'),
        lost: since('lost'),
        doubled: since('doubled'),
        disordered: since('disordered'),
        frames:
          frames === undefined || framesBefore === undefined
            ? undefined
            : (frames - framesBefore) / sent + (running.uncounted ?? 0),
        traffic: {
          between: (traffic.between - trafficBefore.between) / sent,
          redis: (traffic.redis - trafficBefore.redis) / sent,
        },
      });
      before = result;
    }
  }
  return results;
}

function rowOf(
  names: Pick<RelayRow, 'workload' | 'peer' | 'nodes' | 'load'>,
  rounds: readonly Round[],
): RelayRow {
  const of = (read: (round: Round) => number): Spread => spread(rounds.map(read));
  const total = (read: (round: Round) => number): number =>
    rounds.reduce((sum, round) => sum + read(round), 0);
  return {
    ...names,
    cpu: of(({ measured }) => measured.cpuMicros / measured.delivered),
    rate: of(({ measured }) => measured.delivered / (measured.ms / 1000)),
    busy: of(({ measured }) => measured.cpuMicros / 1000 / measured.ms),
    frames: rounds.some(({ frames }) => frames === undefined) ? undefined : of(({ frames }) => frames ?? 0),
    bytes: { between: of(({ traffic }) => traffic.between), redis: of(({ traffic }) => traffic.redis) },
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
    'messages of 128 bytes',
    'CPU us/delivery',
    'x bare',
    'deliveries/s',
    'server core',
    'frames',
    'bytes between',
    'by Redis',
    'p50/p99 ms',
  ];
  const counts = ['sent', 'lost', 'doubled', 'disordered'];
  return [
    [...head, ...counts],
    ...rows.map((row) => {
      const bare = rows.find(
        ({ workload, peer, nodes, load }) =>
          peer === bareWs.name && workload === row.workload && nodes === row.nodes && load === row.load,
      );
      return [
        `${row.workload}, ${row.nodes} nodes, ${row.load}: ${row.peer}`,
        spreadText(row.cpu),
        bare ? digits(row.cpu.median / bare.cpu.median) : '-',
        String(Math.round(row.rate.median)),
        `${Math.round(row.busy.median * 100)} %`,
        row.frames ? digits(row.frames.median) : '-',
        String(Math.round(row.bytes.between.median)),
        String(Math.round(row.bytes.redis.median)),
        row.latency ? `${digits(row.latency.p50.median)}/${digits(row.latency.p99.median)}` : '-',
        String(row.sent),
        String(row.lost),
        String(row.doubled),
        String(row.disordered),
      ];
    }),
  ];
}
