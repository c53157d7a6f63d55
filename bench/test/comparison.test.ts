import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chartsOf } from '../comparison/charts.ts';
import { withResults } from '../comparison/page.ts';
import { readResults, resultsText } from '../comparison/results.ts';

const folder = join(import.meta.dirname, '../../docs/comparison');
const page = `${folder}.md`;
const results = readResults(folder);

test('the tables of docs/comparison.md are those of its results; vitest -u writes them anew', async () => {
  await expect(withResults(readFileSync(page, 'utf8'), results)).toMatchFileSnapshot(page);
});

test.each([...chartsOf(results)])(
  'docs/comparison/%s is drawn from its results; vitest -u draws it anew',
  async (name, chart) => {
    await expect(chart).toMatchFileSnapshot(join(folder, name));
  },
);

test('docs/comparison holds the results and their charts, and the page shows each', () => {
  const charts = [...chartsOf(results).keys()];
  expect(readdirSync(folder).sort()).toEqual([...charts, 'results.json'].sort());
  const shown = [...readFileSync(page, 'utf8').matchAll(/!\[[^\]]+\]\(comparison\/([^)]+)\)/g)];
  expect(shown.map(([, name]) => name).sort()).toEqual(charts.sort());
});

test('results are kept as they were written', () => {
  expect(resultsText(results)).toBe(readFileSync(join(folder, 'results.json'), 'utf8'));
});

test('a page that asks for what there is not is told so', () => {
  expect(() => withResults('<!-- results: nothing -->\n<!-- end -->', results)).toThrow(
    'results: nothing: expected one of run, short, cpu',
  );
});
