/** `make chaos`: see {@link USAGE}. Ends with 0 when nothing was wrong, with 1 when something was, with 2 for bad options. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ChaosOptions, readOptions, USAGE } from './options.ts';
import { type RunResult, runChaos, scenarioOf } from './run.ts';
import { describeStep } from './scenario.ts';

const out = (line: string): boolean => process.stdout.write(`${line}\n`);

function optionsOrUsage(): ChaosOptions {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** What is needed to find out why: records and logs. */
function keep(options: ChaosOptions, { record, logs, report }: RunResult): string {
  const folder = resolve(import.meta.dirname, `../../.tools/chaos/${options.log}-${options.seed}`);
  mkdirSync(folder, { recursive: true });
  // logs tell the time of day, records that of the run: the difference is here
  writeFileSync(
    join(folder, 'record.json'),
    JSON.stringify({ timeOrigin: performance.timeOrigin, ...record }),
  );
  writeFileSync(join(folder, 'report.txt'), report);
  for (const [id, text] of logs) writeFileSync(join(folder, `${id}.log`), text);
  return folder;
}

const options = optionsOrUsage();
const { seed, seconds, log } = options;
out(`chaos: seed ${seed}, ${seconds} s, log ${log}`);
const result = await runChaos(options, out);
out(`\n${result.report}`);
for (const failure of result.failures) out(`failed: ${failure}`);
const wrong = result.flaws.length + result.failures.length;
if (wrong === 0) out(`\nchaos: seed ${seed}: nothing wrong`);
else {
  out(`\nschedule of seed ${seed}:`);
  for (const step of scenarioOf(options)) out(`  ${describeStep(step)}`);
  out(`\nchaos: seed ${seed}: ${wrong} flaws; records and logs are in ${keep(options, result)}`);
  out(`again: make chaos SEED=${seed} SECONDS=${seconds} LOG=${log}`);
}
process.exitCode = wrong === 0 ? 0 : 1;
