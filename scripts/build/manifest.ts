import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What a package.json says of an export: a file, or what each condition leads to. */
export type Target = string | { readonly [condition: string]: Target };

/** What is read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, Target>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** One file to make: from where, to where, relative to the package. */
export interface Entry {
  readonly source: string;
  readonly output: string;
  /** Where its declarations belong; a command has none. */
  readonly types?: string;
}

/** Root of the repository, without a slash at its end. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Folders of the packages that go to the registry, each after those it depends on. */
export const publishedPackages: readonly string[] = ['ring', 'client', 'push', 'ringway'];

/** Names of the packages that never go there: what a published one needs of them goes into it. */
export const privatePackages: ReadonlySet<string> = new Set(
  readdirSync(`${root}/packages`)
    .map(readManifest)
    .filter((manifest) => manifest.private)
    .map(({ name }) => name),
);

export function folderOf(name: string): string {
  return `${root}/packages/${name}`;
}

export function readManifest(name: string): Manifest {
  return JSON.parse(readFileSync(`${folderOf(name)}/package.json`, 'utf8')) as Manifest;
}

/** What a package exports and runs, by its package.json. */
export function entriesOf(manifest: Manifest): Entry[] {
  const exported = Object.entries(manifest.exports ?? {}).flatMap(([path, target]) =>
    entriesBelow(target, undefined, `${manifest.name}: exports["${path}"]`),
  );
  const commands = Object.values(manifest.bin ?? {}).map(
    (output): Entry => ({ source: output.replace('dist/', 'src/').replace(/\.js$/, '.ts'), output }),
  );
  return [...exported, ...commands];
}

/** Every `default` of a target, with the source that `@ringway/source` names under the same conditions. */
function entriesBelow(target: Target, outer: Target | undefined, where: string): Entry[] {
  if (typeof target === 'string') throw new Error(`${where} needs "@ringway/source", "types" and "default"`);
  const { '@ringway/source': own, types, default: output, ...conditions } = target;
  const source = own ?? outer;
  const nested = Object.entries(conditions).flatMap(([condition, below]) =>
    // A file by itself is another entry's, which makes it.
    typeof below === 'string' ? [] : entriesBelow(below, under(source, condition), `${where}.${condition}`),
  );
  const file = under(source, 'default');
  if (output === undefined) return nested;
  if (typeof file !== 'string' || typeof output !== 'string' || typeof types !== 'string') {
    throw new Error(`${where} needs "@ringway/source", "types" and "default"`);
  }
  return [...nested, { source: file, output, types }];
}

function under(target: Target | undefined, condition: string): Target | undefined {
  return typeof target === 'object' ? (target[condition] ?? target['default']) : target;
}

/** The package that an import names: `@a/b/c` belongs to `@a/b`. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Which of the imports would not be there after an install. */
export function undeclared(manifest: Manifest, imports: Iterable<string>): string[] {
  const known = new Set(
    [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies].flatMap((each) =>
      Object.keys(each ?? {}),
    ),
  );
  const names = [...imports].filter((each) => !isBuiltin(each)).map(packageOf);
  return [...new Set(names)].filter((name) => name !== manifest.name && !known.has(name)).sort();
}
