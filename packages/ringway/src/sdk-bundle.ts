import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * The SDK for browsers as one ES module: the one that `@ringway/client` brings with it, or, when that resolves to its
 * sources, one made of them. The latter needs esbuild, which a checkout has.
 */
export async function sdkBundle(): Promise<Uint8Array> {
  const entry = fileURLToPath(import.meta.resolve('@ringway/client/browser'));
  return entry.endsWith('.ts') ? bundle(entry) : readFile(entry);
}

async function bundle(entry: string): Promise<Uint8Array> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [entry],
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
