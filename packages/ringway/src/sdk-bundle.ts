import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot, runsFromSource } from './package-root.ts';

/** Where the build puts the SDK for browsers, inside this package. */
export const SDK_FILE = 'dist/sdk/ringway.js';

/** The SDK for browsers as one ES module: the build's, or, when the sources run, one made of the sources. */
export async function sdkBundle(): Promise<Uint8Array> {
  if (!runsFromSource()) return readFile(join(packageRoot(), SDK_FILE));
  return bundleSdk();
}

/** Makes it of `@ringway/client` as this process resolves it. Needs esbuild, which only a checkout has. */
export async function bundleSdk(): Promise<Uint8Array> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(import.meta.resolve('@ringway/client'))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    conditions: runsFromSource() ? ['@ringway/source'] : [],
    legalComments: 'none',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('the bundle of the SDK is empty');
  return file.contents;
}
