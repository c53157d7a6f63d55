// One command for all benches: what was measured, then one table of Ringway's figures beside others' of the same run.
//   --short      one short round, for CI              --only NAME   one part: ring, route, relay, log, routers, connect or fleet
//   --rounds N   rounds of relay, routers and connect, 3 by default
//   --nodes N    numbers of nodes of relay and routers, 2, 4 and 8 by default          --peer TEXT  only those with it in their name
//   --against DIR  another checkout of this repository, installed, whose Ringway is measured as well
//   --charts DIR   results.json of routers, and charts of it, into DIR; the tables of DIR.md, if there is one, are written anew
//   --note TEXT    what that page is to say of the run
// Ends with 1 when a message was lost or doubled, or a part broke; a missed target is told, and no more: whether one is
// met on a machine that does other things besides says little.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resultsOf } from './comparison/results.ts';
import { writeComparison } from './comparison/write.ts';
import { type ConnectPlan, connectSteps, connectTable, measureConnect } from './connect.ts';
import {
  type FleetPlan,
  fleetIsWrong,
  fleetSteps,
  fleetTable,
  fleetTimesTable,
  measureFleet,
} from './fleet.ts';
import { hasNats } from './peers/nats.ts';
import {
  ringway,
  ringwayAnswered,
  ringwayRedis,
  ringwayRedisAnswered,
  ringwayRouters,
} from './peers/ringway.ts';
import { routerPeers, routerPeersShort } from './peers/routers.ts';
import { socketIoStreams } from './peers/socket-io.ts';
import { measureRelay, type RelayPlan, type RelayRow, relaySteps, relayTable } from './relay.ts';
import { Broken } from './support/broken.ts';
import { Progress } from './support/progress.ts';
import { type Row, rowsTable } from './support/row.ts';
import { table } from './support/table.ts';
import { connectTargets, fleetTargets, relayTargets, routerTargets } from './targets.ts';

const parts = ['ring', 'route', 'relay', 'log', 'routers', 'connect', 'fleet'] as const;
type Part = (typeof parts)[number];

const { values: flags } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '3' },
    nodes: { type: 'string', multiple: true },
    peer: { type: 'string', multiple: true, default: [] },
    against: { type: 'string', multiple: true, default: [] },
    charts: { type: 'string' },
    note: { type: 'string' },
  },
});
for (const name of flags.only ?? []) {
  if (!parts.some((part) => part === name)) {
    console.error(`bench: unknown part ${name}: expected some of ${parts.join(', ')}`);
    process.exit(2);
  }
}
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`bench: --rounds ${flags.rounds}: expected a whole number from 1 on`);
  process.exit(2);
}
const nodes = flags.nodes?.map(Number);
if (nodes?.some((count) => !Number.isInteger(count) || count < 1 || 64 % count > 0)) {
  console.error(`bench: --nodes ${flags.nodes?.join(' ')}: expected divisors of 64`);
  process.exit(2);
}
const wanted = (part: Part): boolean => flags.only?.includes(part) ?? true;
if (flags.charts !== undefined && !wanted('routers')) {
  console.error(`bench: --charts ${flags.charts}: expected the part routers, which they are of`);
  process.exit(2);
}

const peers = { only: flags.peer, against: flags.against };
const relayPlan: RelayPlan = flags.short
  ? { nodes: nodes ?? [2], rounds: 1, warmUpMs: 1500, measureMs: 1000, ...peers }
  : { nodes: nodes ?? [2, 4, 8], rounds, warmUpMs: 4000, measureMs: 3000, ...peers };
/** One-to-one where messages are kept in Redis. */
const logPlan: RelayPlan = {
  ...relayPlan,
  nodes: [2],
  peers: [socketIoStreams, ringwayRedis, ringwayRedisAnswered],
};
/** Ringway's routers beside what others have. */
const routersPlan: RelayPlan = flags.short
  ? {
      ...relayPlan,
      warmUpMs: 200,
      measureMs: 300,
      peers: routerPeersShort,
      group: { members: 200, nodes: 2 },
    }
  : { ...relayPlan, warmUpMs: 3000, peers: routerPeers, group: { members: 1000, nodes: 4 } };
const connectPlan: ConnectPlan = flags.short
  ? { rounds: 1, connecting: 1000, idle: 2000, ...peers }
  : { rounds, connecting: 5000, idle: 10_000, ...peers };
const fleetPlan: FleetPlan = flags.short
  ? { short: true, clients: 300, streams: 30, perSecond: 100, quietMs: 1000, only: [] }
  : { short: false, clients: 5000, streams: 60, perSecond: 400, quietMs: 5000, only: flags.peer };

const progress = new Progress(
  Number(wanted('ring')) +
    Number(wanted('route')) +
    (wanted('relay') ? relaySteps(relayPlan) : 0) +
    (wanted('log') ? relaySteps(logPlan) : 0) +
    (wanted('routers') ? relaySteps(routersPlan) : 0) +
    (wanted('connect') ? connectSteps(connectPlan) : 0) +
    (wanted('fleet') ? fleetSteps(fleetPlan) : 0),
);
const broken = new Broken();
const rows: Row[] = [];
let failed = false;

for (const part of ['ring', 'route'] as const) {
  if (!wanted(part)) continue;
  progress.step(part);
  rows.push(...((await broken.or(part, () => runScript(`${part}.ts`))) ?? []));
}
for (const [part, plan] of [
  ['relay', relayPlan],
  ['log', logPlan],
  ['routers', routersPlan],
] as const) {
  if (!wanted(part)) continue;
  if (part === 'relay' && !hasNats())
    console.error('bench: no NATS server here (scripts/setup.sh nats builds one by Go): left out');
  const measured = await measureRelay(plan, progress, broken);
  console.log(`\n${table(relayTable(measured))}`);
  rows.push(...relayTargets(measured), ...routerTargets(measured));
  failed ||= measured.some(isWrong);
  if (part === 'routers' && flags.charts !== undefined) {
    writeComparison(flags.charts, await resultsOf(measured, plan, flags.note));
  }
}
if (wanted('connect')) {
  const measured = await measureConnect(connectPlan, progress, broken);
  console.log(`\n${table(connectTable(measured))}`);
  rows.push(...connectTargets(measured));
}
if (wanted('fleet')) {
  const measured = await measureFleet(fleetPlan, progress, broken);
  console.log(`\n${table(fleetTable(measured))}\n\n${table(fleetTimesTable(measured))}`);
  rows.push(...fleetTargets(measured));
  failed ||= measured.some(fleetIsWrong);
}
console.log(`\n${table(rowsTable(rows))}`);
if (failed) console.error('bench: messages were lost, doubled or disordered');
if (broken.names.length > 0) console.error(`bench: broken: ${broken.names.join('; ')}`);
process.exitCode = failed || broken.names.length > 0 ? 1 : 0;

/**
 * A bench that is a process of its own, so that what the others load does not count for it: with `--json` its last line
 * holds its rows, and what it says before is handed on.
 */
async function runScript(name: string): Promise<Row[]> {
  const path = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const args = ['--conditions=@ringway/source', '--no-warnings', path, '--json'];
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      flags.short ? [...args, '--short'] : args,
      { timeout: 300_000, maxBuffer: 1 << 24 },
      (error, out, err) => {
        // One that missed a target ends with 1, and has printed its rows nevertheless.
        if (out.trim() === '') reject(new Error(`bench ${name}: ${err}`, { cause: error }));
        else resolve(out);
      },
    );
  });
  const lines = stdout.trim().split('\n');
  const rows = JSON.parse(lines.pop() ?? '[]') as Row[];
  if (lines.length > 0) console.log(lines.join('\n'));
  return rows;
}

/** Ringway promises that nothing is lost, doubled or disordered while nothing changes; the others count for themselves. */
function isWrong({ peer, lost, doubled, disordered }: RelayRow): boolean {
  const ours = [ringway, ringwayAnswered, ringwayRedis, ringwayRedisAnswered, ...ringwayRouters];
  return ours.some(({ name }) => name === peer) && lost + doubled + disordered > 0;
}
