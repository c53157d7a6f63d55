import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chartsOf } from './charts.ts';
import { withResults } from './page.ts';
import { type Results, readResults, resultsText } from './results.ts';

/** Writes results.json and its charts into a folder, and the tables of the page FOLDER.md anew, if there is one. */
export function writeComparison(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'results.json'), resultsText(results));
  // what was kept is what is shown
  const kept = readResults(folder);
  for (const [name, chart] of chartsOf(kept)) writeFileSync(join(folder, name), chart);
  const page = `${resolve(folder)}.md`;
  if (existsSync(page)) writeFileSync(page, withResults(readFileSync(page, 'utf8'), kept));
}
