import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { cluster } from './support/clients.ts';
import { until } from './support/until.ts';

/** Bytes, gzipped, that the SDK may weigh in a browser. */
const LIMIT = 8 * 1024;

async function bundle(): Promise<{ text: string; inputs: string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
    conditions: ['@ringway/source'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    metafile: true,
    write: false,
  });
  return { text: outputFiles[0]?.text ?? '', inputs: Object.keys(metafile.inputs) };
}

test('the bundle for browsers is one file under 8 KB gzipped, and needs nothing of Node', async () => {
  const { text, inputs } = await bundle();
  const bytes = gzipSync(text, { level: 9 }).length;
  process.stdout.write(`SDK for browsers: ${text.length} bytes, ${bytes} gzipped\n`);
  expect(bytes).toBeLessThan(LIMIT);
  expect(text).not.toMatch(/\bimport\b|\brequire\(|["'`]node:/);
  expect(inputs.filter((path) => path.includes('node_modules'))).toEqual([]);
});

test('it works with the platform’s own WebSocket, fetch and crypto', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringway-sdk-'));
  try {
    const file = join(folder, 'ringway.mjs');
    await writeFile(file, (await bundle()).text);
    const { RingwayClient } = (await import(pathToFileURL(file).href)) as typeof import('../src/index.ts');
    const ringway = await cluster();
    const client = new RingwayClient({ locator: ringway.locator, userId: 'alice', backoff: () => 5 });
    const got: unknown[] = [];
    client.on('message', ({ data }) => got.push(data));
    await client.connect();
    await client.publish('user:alice', { to: 'myself' });
    ringway.node(0).session.socket.close(4600);
    ringway.publish('user:alice', 'user:bob', 'm2', 2);
    await until(() => expect(got).toEqual([{ to: 'myself' }, 2]));
    await client.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
