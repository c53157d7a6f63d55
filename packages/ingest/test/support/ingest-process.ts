import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ClusterProcess, freePort } from '@ringway/testkit';
import { CLUSTER_KEY, type Sink } from './sink.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');

/** The mapping of the tests: `{"to": "alice", "n": 1}`. */
export const MAPPING = { to: 'user:{to}' };

/** `ringway ingest` as a process of its own, not started yet. */
export async function ingestProcess(
  sink: Sink,
  folder: string,
  env: Readonly<Record<string, string>>,
  mapping: object = MAPPING,
): Promise<ClusterProcess> {
  const port = await freePort();
  const file = join(folder, `mapping-${port}.json`);
  await writeFile(file, JSON.stringify(mapping));
  const inherited = Object.keys(process.env).filter((name) => name.startsWith('RINGWAY_'));
  return new ClusterProcess({
    kind: 'ingest',
    number: 1,
    id: 'ingest',
    publicUrl: '',
    internalUrl: `http://127.0.0.1:${port}`,
    command: [
      process.execPath,
      '--conditions=@ringway/source',
      '--no-warnings',
      join(ROOT, 'packages/ringway/src/main.ts'),
      'ingest',
    ],
    env: {
      ...Object.fromEntries(inherited.map((name) => [name, undefined])),
      RINGWAY_CLUSTER_KEYS: CLUSTER_KEY,
      RINGWAY_INGEST_LOCATORS: sink.locatorUrl,
      RINGWAY_INGEST_MAPPING: file,
      RINGWAY_INGEST_CONSUMER: 'reader-1',
      RINGWAY_INGEST_PUBLISH_TIMEOUT: '300ms',
      RINGWAY_INTERNAL_LISTEN: `127.0.0.1:${port}`,
      ...env,
    },
  });
}
