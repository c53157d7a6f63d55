import type { CoreUse } from './fleet/core-use.ts';
import { Crowd } from './fleet/crowd.ts';
import type { Phase } from './fleet/jobs.ts';
import type { FleetRow } from './fleet/row.ts';
import { type FleetLoad, RingwayScenes, socketIoScene } from './fleet/scenarios.ts';
import { startRingwayFleet, startSocketIoFleet } from './peers/fleet.ts';
import type { Broken } from './support/broken.ts';
import type { Progress } from './support/progress.ts';
import { digits } from './support/table.ts';

/** A fleet that changes under its clients: nodes added, drained and killed while everyone talks. */
export interface FleetPlan extends FleetLoad {
  /** Without the peers, and with one scale-out and one crash alone. */
  readonly short: boolean;
  /** Only peers whose names have one of these in them; all when empty. */
  readonly only: readonly string[];
}

type Report = (row: FleetRow) => void;

/** A fleet, and what is done to it, one after the other. */
interface Scene {
  readonly name: string;
  play(report: Report): Promise<void>;
}

function scenesOf(plan: FleetPlan): Scene[] {
  const scenes: Scene[] = [
    {
      name: plan.short ? 'Ringway: 3 -> 4, SIGKILL' : 'Ringway: 3 -> 4 -> 3, SIGKILL',
      async play(report) {
        await using fleet = await startRingwayFleet(3);
        await using crowd = new Crowd();
        const scenes = new RingwayScenes(fleet, crowd, plan);
        await scenes.arrive();
        report(await scenes.grow());
        if (!plan.short) report(await scenes.shrink());
        report(await scenes.kill());
      },
    },
  ];
  if (plan.short) return scenes;
  scenes.push({
    name: `Ringway: drain of ${plan.clients} sessions`,
    async play(report) {
      await using fleet = await startRingwayFleet(2);
      await using crowd = new Crowd();
      const scenes = new RingwayScenes(fleet, crowd, plan, 'node-1');
      await scenes.arrive();
      report(await scenes.drain());
    },
  });
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    scenes.push({
      name: `Socket.IO, streams: ${signal}`,
      async play(report) {
        await using fleet = await startSocketIoFleet(3);
        report(await socketIoScene(fleet, plan, signal));
      },
    });
  }
  return scenes.filter(({ name }) => plan.only.length === 0 || plan.only.some((part) => name.includes(part)));
}

/** How many steps {@link measureFleet} reports. */
export function fleetSteps(plan: FleetPlan): number {
  return scenesOf(plan).length;
}

export async function measureFleet(plan: FleetPlan, progress: Progress, broken: Broken): Promise<FleetRow[]> {
  const rows: FleetRow[] = [];
  for (const { name, play } of scenesOf(plan)) {
    progress.step(`fleet, ${plan.clients} clients, ${name}`);
    await broken.or(name, () => play((row) => rows.push(row)));
  }
  return rows;
}

/** The rows as text, with a head: what became of clients and messages. */
export function fleetTable(rows: readonly FleetRow[]): string[][] {
  return [
    ['fleet', 'moved', 'ideal', 'moves', 'sockets', 'seen away', 'seconds', 'back 50/99/100 %, s'].concat([
      'confirmed',
      'unanswered',
      'lost untold',
      'told',
      'doubled',
      'disordered',
    ]),
    ...rows.map(({ peer, change, concerned, ideal, movesSent, ms, back, told }) => [
      `${peer}: ${change}`,
      String(concerned),
      digits(ideal),
      movesSent === undefined ? '-' : String(movesSent),
      String(told.stood),
      String(told.away),
      digits(ms / 1000),
      back ? [back.half, back.most, back.all].map((each) => digits(each / 1000)).join('/') : '-',
      String(told.confirmed),
      String(told.sent - told.confirmed),
      String(told.lost),
      String(told.told),
      String(told.doubled),
      String(told.disordered),
    ]),
  ];
}

/** The rows as text, with a head: how long what was delivered took. */
export function fleetTimesTable(rows: readonly FleetRow[]): string[][] {
  const phases: readonly Phase[] = ['before', 'during', 'after'];
  const of = (row: FleetRow, what: 'p50' | 'p99' | 'silence' | 'stall'): string =>
    phases.map((phase) => digits(row.told.phases[phase][what])).join('/');
  const share = ({ ran, waited }: CoreUse): string => `${digits(ran)}+${digits(waited)}`;
  return [
    [
      'ms before/during/after',
      'p50',
      'p99',
      'longest silence',
      "the load's own stall",
      'load ran+waited',
      'servers ran+waited',
    ],
    ...rows.map((row) => [
      `${row.peer}: ${row.change}`,
      of(row, 'p50'),
      of(row, 'p99'),
      of(row, 'silence'),
      of(row, 'stall'),
      share(row.cores.load),
      share(row.cores.servers),
    ]),
  ];
}

/** Ringway promises that nothing is lost untold, doubled or disordered, whatever changes. */
export function fleetIsWrong({ peer, told }: FleetRow): boolean {
  return peer === 'Ringway' && told.lost + told.doubled + told.disordered > 0;
}
