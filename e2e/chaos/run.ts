import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildRing } from '@ringway/ring';
import { checkRun } from './check/check.ts';
import type { Flaw } from './check/flaw.ts';
import { Crowd, type HomeOf } from './crowd.ts';
import { inflict } from './faults.ts';
import type { ChaosOptions } from './options.ts';
import { SeededRandom } from './random.ts';
import type { RunRecord } from './record.ts';
import { reportText } from './report.ts';
import { growth, measure } from './resources.ts';
import { describeStep, makeScenario, type Step } from './scenario.ts';
import { CONSUL_AGENTS, CONSUL_SERVERS, startWorld, type World } from './world.ts';

const LOCATORS = 2;
const LINK_TIMEOUT_MS = 3_000;
const GROUPS = 5;
const GROUP_MEMBERS = 20;

export interface RunResult {
  readonly flaws: readonly Flaw[];
  /** What a fault, or the end of it, did not do as it should. */
  readonly failures: readonly string[];
  readonly record: RunRecord;
  readonly report: string;
  /** What each process logged. */
  readonly logs: ReadonlyMap<string, string>;
}

export function scenarioOf({ seed, seconds, nodes, kinds, log }: ChaosOptions): readonly Step[] {
  return makeScenario({
    seed,
    seconds,
    nodes,
    kinds,
    minNodes: 3,
    maxNodes: nodes + 1,
    locators: LOCATORS,
    consulServers: CONSUL_SERVERS,
    consulAgents: CONSUL_AGENTS,
    redis: log === 'redis',
    linkTimeoutMs: LINK_TIMEOUT_MS,
  });
}

/** A whole run: a world is made, people talk in it, things go wrong, it calms down, and the records are judged. */
export async function runChaos(options: ChaosOptions, say: (line: string) => void): Promise<RunResult> {
  const { log, nodes, people, rate } = options;
  const steps = scenarioOf(options);
  await using world = await startWorld({ log, nodes, locators: LOCATORS });
  const crowdOptions = { people, rate, groups: GROUPS, members: GROUP_MEMBERS, toGroups: 0.15, all: true };
  await using crowd = new Crowd(world.cluster, crowdOptions, new SeededRandom(options.seed ^ 0x5eed));
  await crowd.arrive();
  const before = await measure(world);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  say(`${people} people on ${nodes} nodes, ${rate} publishes a second, log: ${log}`);
  crowd.start();

  const failures = await unfold(world, steps, options.seconds * 1_000, (line) =>
    say(`${line}${tally(crowd)}`),
  );
  say('calm: waiting for everyone to be back');
  failures.push(...fallen(world, steps));
  await world.cluster.settled(45_000).catch((error: Error) => failures.push(error.message));
  await crowd.gather();
  await crowd.hush();
  if (options.homes) await crowd.settle(homes(world));
  await crowd.lastWord();
  delay.disable();

  const record = crowd.record(homes(world), growth(before, await measure(world)));
  const flaws = checkRun(record, options);
  const load = `load side: loop delayed by ${(delay.percentile(99) / 1e6).toFixed(0)} ms at most in 99 % of looks`;
  const { nodes: all, locators } = world.cluster;
  return {
    flaws,
    failures,
    record,
    report: `${reportText(record, crowd.ledger, flaws)}\n${load}`,
    logs: new Map([...all, ...locators].map((process) => [process.id, process.outputs])),
  };
}

/** Does each step at its time, whether or not those before it are over; resolves when all are. Gives what failed. */
async function unfold(
  world: World,
  steps: readonly Step[],
  forMs: number,
  say: (line: string) => void,
): Promise<string[]> {
  const began = performance.now();
  const failures: string[] = [];
  const under = steps.map(async (step) => {
    await sleep(Math.max(0, began + step.at - performance.now()));
    say(describeStep(step));
    try {
      await inflict(world, step.fault);
    } catch (error) {
      const text = `${describeStep(step).trim()}: ${error instanceof Error ? error.message : String(error)}`;
      failures.push(text);
      say(`         FAILED ${text}`);
    }
  });
  await Promise.all([sleep(forMs), ...under]);
  return failures;
}

/** Whoever ended without having been told to. */
function fallen({ cluster }: World, steps: readonly Step[]): string[] {
  const told = new Set(
    steps.flatMap(({ fault }) =>
      fault.kind === 'node-stop' || fault.kind === 'node-drain' ? [fault.node] : [],
    ),
  );
  return [...cluster.nodes, ...cluster.locators]
    .filter((process) => !process.running && !told.has(process.id))
    .map(({ id, output }) => `${id} ended by itself: ${output.slice(-1_500)}`);
}

/** Whose user is whose among the nodes that run, worked out here. */
function homes({ cluster }: World): HomeOf {
  const running = cluster.nodes.filter((node) => node.running);
  const ring = buildRing(running.map(({ id }) => ({ id, weight: 1 })));
  return (userId) => ring.owner(`user:${userId}`)?.id;
}

/** How things stand, behind a line. */
function tally({ people, ledger }: Crowd): string {
  const connected = people.filter(({ client }) => client.state === 'connected').length;
  const confirmed = ledger.publishes.filter(({ outcome }) => outcome === 'confirmed').length;
  return `  [${connected}/${people.length} connected, ${confirmed}/${ledger.publishes.length} confirmed]`;
}
