import type { Cluster } from '@ringway/testkit';
import { checkRun } from '../chaos/check/check.ts';
import type { CheckRules } from '../chaos/check/flaw.ts';
import { Crowd, type CrowdOptions } from '../chaos/crowd.ts';
import { SeededRandom } from '../chaos/random.ts';

/** Two dozen people who talk to each other and in three groups, enough that every node is the home of some. */
const SIZE = { people: 24, groups: 3, members: 12, rate: 120, toGroups: 0.25 };

let crowds = 0;

/**
 * Lets people talk while something happens; when it is over and everyone has calmed down, tells what was wrong with what
 * they heard, as the chaos suite's checker finds it.
 */
export async function amidTalk(
  cluster: Cluster,
  rules: Partial<CheckRules>,
  happening: (crowd: Crowd) => Promise<void>,
  size: Partial<CrowdOptions> = {},
): Promise<readonly string[]> {
  await using crowd = new Crowd(cluster, { ...SIZE, ...size, tag: `${++crowds}-` }, new SeededRandom(1));
  await crowd.arrive();
  crowd.start();
  await happening(crowd);
  await crowd.gather();
  await crowd.hush();
  await crowd.lastWord();
  const flaws = checkRun(crowd.record(), { gaps: 'told', homes: false, ...rules });
  return flaws.map(({ kind, text }) => `${kind}: ${text}`);
}
