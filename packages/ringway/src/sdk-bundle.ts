import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from './package-root.ts';

/** Where the build puts it, inside this package. */
const BUILT = 'dist/sdk/ringway.js';

/**
 * The SDK for browsers as one ES module: the build's, or, where the sources run, one made of the sources. The latter
 * needs esbuild, which a checkout has.
 */
export function sdkBundle(): Promise<Uint8Array> {
  return import.meta.url.endsWith('.ts') ? bundle() : readFile(join(packageRoot(), BUILT));
}

async function bundle(): Promise<Uint8Array> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(import.meta.resolve('@ringway/client/browser'))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    conditions: ['@ringway/source'],
    legalComments: 'none',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('the bundle of the SDK is empty');
  return file.contents;
}
