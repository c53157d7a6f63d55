import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { type Entry, entriesOf, folderOf, type Manifest, packageOf, privatePackages } from './manifest.ts';

/** Bytes, gzipped, that the SDK may weigh in a browser. */
const BROWSER_LIMIT = 8192;

/** What the command carries for browsers, which the locator serves: by output, the source in the client's package. */
const SERVED_SDK = { './dist/sdk/ringway.js': 'index.ts', './dist/sdk/presence.js': 'presence.ts' };

/** What a bundle imports at run time, and how heavy its files are. */
export interface Bundled {
  readonly imports: readonly string[];
  readonly sizes: readonly string[];
}

/**
 * Private packages are inlined; whatever else has a name is imported by it. Nothing of ours does anything by being
 * imported, so what is not used is left out, with the imports that it alone would need.
 */
const inlinePrivate: Plugin = {
  name: 'inline-private',
  setup(builder) {
    builder.onResolve({ filter: /.*/ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      if (kind === 'entry-point' || pluginData === inlinePrivate) return undefined;
      if (!path.startsWith('.') && !privatePackages.has(packageOf(path))) {
        return { path, external: true, sideEffects: false };
      }
      const found = await builder.resolve(path, { kind, importer, resolveDir, pluginData: inlinePrivate });
      return { ...found, sideEffects: false };
    });
  },
};

/**
 * Makes the JavaScript of one package: readable, importing npm's packages and the other published ones; but browser.js
 * minified, importing nothing.
 */
export async function bundle(name: string, manifest: Manifest): Promise<Bundled> {
  const entries = entriesOf(manifest);
  const isBrowser = ({ output }: Entry): boolean => basename(output) === 'browser.js';
  const forNode = entries.filter((entry) => !isBrowser(entry));
  const { outputs } = await run(name, forNode, {
    platform: 'node',
    target: 'node22',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    plugins: [inlinePrivate],
  });
  const sizes = forNode.map(({ output }) => weigh(name, output));
  const forBrowsers = entries.filter(isBrowser).map(({ output }) => output);
  const served =
    name === 'ringway' ? Object.entries(SERVED_SDK) : forBrowsers.map((one) => [one, 'index.ts'] as const);
  for (const [output, source] of served) sizes.push(await bundleForBrowsers(name, output, source));
  const imports = Object.values(outputs).flatMap((output) => output.imports.filter((one) => one.external));
  return {
    // The command makes the SDK's bundle itself where it runs from the sources, and only there.
    imports: imports.filter(({ path }) => path !== 'esbuild').map(({ path }) => path),
    sizes,
  };
}

async function bundleForBrowsers(name: string, output: string, file: string): Promise<string> {
  const source = `${folderOf('client')}/src/${file}`;
  await run(name, [{ source, output }], { platform: 'browser', target: 'es2022', minify: true });
  return weigh(name, output, BROWSER_LIMIT);
}

async function run(name: string, entries: readonly Entry[], options: BuildOptions): Promise<Metafile> {
  if (entries.length === 0) return { inputs: {}, outputs: {} };
  const { metafile } = await build({
    ...options,
    absWorkingDir: folderOf(name),
    entryPoints: entries.map(({ source, output }) => ({
      in: source,
      out: output.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, ''),
    })),
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    conditions: ['@ringway/source'],
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

/** @throws Error when the file is not lighter than the limit, in bytes. */
function weigh(name: string, output: string, limit = Number.POSITIVE_INFINITY): string {
  const content = readFileSync(`${folderOf(name)}/${output}`);
  const zipped = gzipSync(content, { level: 9 }).length;
  const size = `${output.replace('./dist/', '')} ${content.length} B, ${zipped} B gzipped`;
  if (zipped >= limit) throw new Error(`${name}: ${size}, where less than ${limit} B are allowed`);
  return size;
}
