/**
 * Prints `N passed, N failed`, the last line of a CI run, from what scripts/test.sh left in .tools/results: every
 * test by vitest's own results, and every step that failed without a failed test to show for it.
 */
import { readdirSync, readFileSync } from 'node:fs';

interface VitestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** One a file; a file that could not even be loaded has failed without a test in it. */
  readonly testResults: readonly { status: string; assertionResults: readonly { status: string }[] }[];
}

const folder = new URL('../.tools/results/', import.meta.url);
let passed = 0;
let failed = 0;
const counted = new Set<string>();

for (const file of list()) {
  if (!file.endsWith('.json')) continue;
  const results = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as VitestResults;
  const unloadable = results.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((one) => one.status === 'failed'),
  );
  passed += results.numPassedTests;
  failed += results.numFailedTests + unloadable.length;
  if (results.numFailedTests + unloadable.length > 0) counted.add(file.replace('.json', ''));
}
if (list().includes('steps.tsv')) {
  for (const line of readFileSync(new URL('steps.tsv', folder), 'utf8').trim().split('\n')) {
    const [name = '', code] = line.split('\t');
    if (code !== '0' && !counted.has(name)) failed += 1;
  }
} else {
  failed += 1; // nothing ran
}
console.log(`${passed} passed, ${failed} failed`);

function list(): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
