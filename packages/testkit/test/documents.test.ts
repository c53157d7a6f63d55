import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');

function filesUnder(folder: string, end: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(end))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules'));
}

const documents = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'],
  ...['docs', 'consul', 'e2e', 'examples'].flatMap((folder) => filesUnder(folder, '.md')),
];

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```/gm, '');
}

/** The names by which GitHub links to the headings of a document. */
function anchorsOf(path: string): string[] {
  return [...withoutCode(read(path)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Links of a document that lead nowhere. Those to other hosts are left alone. */
function deadLinks(path: string): string[] {
  const targets = [...withoutCode(read(path)).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [file = '', anchor] = target.split('#');
    const found = file === '' ? path : join(dirname(path), file);
    if (statSync(join(root, found), { throwIfNoEntry: false }) === undefined) return true;
    return anchor !== undefined && !anchorsOf(found).includes(anchor);
  });
}

test.each(documents)('every link of %s leads somewhere', (path) => {
  expect(deadLinks(path)).toEqual([]);
});

test('every test that docs/guarantees.md names exists', () => {
  const named = [...read('docs/guarantees.md').matchAll(/^ {2}- \[(\S+)\]\(\.\.\/\1\): \*(.+)\*$/gm)];
  expect(named.length).toBeGreaterThan(50);
  const missing = named.filter(([, file = '', name = '']) => !testsOf(file).includes(name));
  expect(missing.map(([line]) => line)).toEqual([]);
});

/** What stands in quotes at the beginning of tests of a file. */
function testsOf(file: string): string[] {
  return [...read(file).matchAll(/\b(?:it|test)(?:\.each\([\s\S]*?\)(?:\.\w+)?)?\(\s*(['"`])(.*?)\1,/g)].map(
    ([, , name = '']) => name,
  );
}

test('every setting and every metric that a document names exists', () => {
  const code = filesUnder('packages', '.ts')
    .filter((path) => path.includes('/src/'))
    .map(read)
    .join('\n');
  const pages = documents.filter((path) => path !== 'CHANGELOG.md');
  const unknown = pages.flatMap((path) =>
    [...new Set(read(path).match(/\b(?:ringway|RINGWAY)_[A-Za-z_]+[a-z]\b|\bRINGWAY_[A-Z_]+[A-Z]\b/g))]
      .filter((name) => !name.startsWith('RINGWAY_TEST_'))
      .filter((name) => !code.includes(name) && !code.includes(name.replace(/_FILE$/, '')))
      .filter((name) => !code.includes(name.replace(/_(?:bucket|sum|count)$/, '')))
      // named with a common beginning, which stands apart
      .filter((name) => !code.includes(`'${name.replace(/^ringway_ingest_/, '')}'`))
      .map((name) => `${path}: ${name}`),
  );
  expect(unknown).toEqual([]);
});
