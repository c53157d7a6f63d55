import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SdkFiles } from '@ringway/locator';
import { packageRoot } from './package-root.ts';

/** The SDK for browsers as it is served, each an ES module that imports nothing. */
export const sdkFiles: SdkFiles = Object.freeze({
  'ringway.js': () => sdkFile('ringway.js', '@ringway/client/browser'),
  'presence.js': () => sdkFile('presence.js', '@ringway/client/presence'),
});

/** The build's, or, where the sources run, one made of the sources. The latter needs esbuild, which a checkout has. */
function sdkFile(name: string, entry: string): Promise<Uint8Array> {
  return import.meta.url.endsWith('.ts') ? bundle(entry) : readFile(join(packageRoot(), 'dist/sdk', name));
}

async function bundle(entry: string): Promise<Uint8Array> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(import.meta.resolve(entry))],
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
