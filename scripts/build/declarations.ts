import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { entriesOf, folderOf, type Manifest, privatePackages, root } from './manifest.ts';

/** `import … from '…'`, `export … from '…'` and `import('…').Name` in a declaration file. */
const references =
  /\b(?:(import|export)( type)? (\{[^}]*\}|\* as \w+|\*|\w+) from|(import)\() ?(['"])([^'"\n]+)\5(?:\)\.(\w+))?/g;

/**
 * Makes the declarations of one package: the compiler's own, file by file, those of private packages beside them under
 * dist/internal/, and only what the package's entries reach. Rolling them up into one file would need the compiler's
 * JavaScript interface, which TypeScript 7 does not have.
 *
 * @returns the packages that the declarations import.
 */
export async function declare(name: string, manifest: Manifest): Promise<string[]> {
  const entries = entriesOf(manifest).filter(({ types }) => types !== undefined);
  const emitted = await emit(
    name,
    entries.map(({ source }) => source),
  );
  const imports = new Set<string>();
  const done = new Set<string>();
  const todo = entries.map(({ source }) => join('packages', name, source));
  for (let file = todo.pop(); file !== undefined; file = todo.pop()) {
    if (done.has(file)) continue;
    done.add(file);
    const { text, inside, outside } = rewrite(name, file, emitted);
    todo.push(...inside);
    for (const each of outside) imports.add(each);
    await mkdir(dirname(target(name, file)), { recursive: true });
    await writeFile(target(name, file), text);
  }
  for (const { types = '' } of entries) {
    if (!existsSync(join(folderOf(name), types)))
      throw new Error(`${manifest.name}: no source gives ${types}`);
  }
  await rm(emitted, { recursive: true, force: true });
  return [...imports];
}

interface Rewritten {
  readonly text: string;
  /** Source files, relative to the root, that go into the package as well. */
  readonly inside: readonly string[];
  /** Packages that are imported by name. */
  readonly outside: readonly string[];
}

/** One declaration file as it goes into the package: each name of a private package leads to the file that has it. */
function rewrite(name: string, file: string, emitted: string): Rewritten {
  const inside: string[] = [];
  const outside: string[] = [];
  const pathTo = (source: string): string => {
    inside.push(source);
    const path = relative(dirname(target(name, file)), target(name, source)).replace(/\.d\.ts$/, '.js');
    return `'${path.startsWith('.') ? path : `./${path}`}'`;
  };
  const text = readFileSync(declarationOf(join(emitted, file)), 'utf8').replace(
    references,
    (whole, word, type = '', what, call, _quote, to: string, member) => {
      if (to.startsWith('.')) {
        const path = pathTo(join(dirname(file), to));
        return call ? `import(${path}).${member}` : `${word}${type} ${what} from ${path}`;
      }
      if (!privatePackages.has(to)) {
        outside.push(to);
        return whole;
      }
      const homes = exportsOf(to, emitted);
      const home = (exported: string): string => homes.get(exported) ?? indexOf(to);
      if (call) return `import(${pathTo(home(member))}).${member}`;
      if (!what.startsWith('{')) return `${word}${type} ${what} from ${pathTo(indexOf(to))}`;
      return namesIn(what)
        .map((each) => `${word}${type} { ${each} } from ${pathTo(home(nameOf(each)))}`)
        .join(';\n');
    },
  );
  return { text, inside, outside };
}

/** Which source file has a name that a private package exports; its index lists them by name. */
function exportsOf(packageName: string, emitted: string): ReadonlyMap<string, string> {
  const index = indexOf(packageName);
  const text = readFileSync(declarationOf(join(emitted, index)), 'utf8');
  const homes = new Map<string, string>();
  for (const [, word, , what = '', , , to = ''] of text.matchAll(references)) {
    if (word !== 'export' || !to.startsWith('.') || !what.startsWith('{')) continue;
    // A name that the index changes is left to the index.
    for (const each of namesIn(what)) {
      if (!each.includes(' as ')) homes.set(nameOf(each), join(dirname(index), to));
    }
  }
  return homes;
}

/** `{ a, type B as C, }` -> `a`, `type B as C` */
function namesIn(list: string): string[] {
  return list
    .slice(1, -1)
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** `type B as C` -> `B` */
function nameOf(each: string): string {
  return each.replace(/^type /, '').replace(/ as .*$/, '');
}

/** Runs the compiler over what the entries reach. @returns the folder that mirrors the repository. */
async function emit(name: string, sources: readonly string[]): Promise<string> {
  const folder = join(root, '.tools', 'build', name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'tsconfig.json');
  await writeFile(
    config,
    JSON.stringify({
      extends: '../../../tsconfig.json',
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        rootDir: root,
        outDir: folder,
        stripInternal: true,
        // Found through node_modules they would count as someone else's, and nothing would be emitted for them.
        paths: Object.fromEntries([...privatePackages].map((each) => [each, [join(root, indexOf(each))]])),
      },
      include: [],
      files: sources.map((source) => join(folderOf(name), source)),
    }),
  );
  try {
    await promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['-p', config]);
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    throw new Error(`no declarations of ${name}:\n${stdout ?? ''}`, { cause: error });
  }
  return folder;
}

/** The entry of a private package, relative to the root. */
function indexOf(packageName: string): string {
  return join('packages', packageName.replace('@ringway/', ''), 'src/index.ts');
}

/** Where the declarations of a source file go. */
function target(name: string, file: string): string {
  const [, owner = '', , ...rest] = file.split('/');
  const inside = owner === name ? [] : ['internal', owner];
  return declarationOf(join(folderOf(name), 'dist', ...inside, ...rest));
}

function declarationOf(file: string): string {
  return file.replace(/\.[jt]s$/, '.d.ts');
}
