import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// The walls of the house are lint rules. A rule that silently stopped matching would look like a clean
// build, so each is shown a file that breaks it, and one that does not.
const root = fileURLToPath(new URL('../../../', import.meta.url));

const broken: [file: string, imported: string][] = [
  ['packages/ring/src/x.ts', '@ringway/protocol'],
  ['packages/ring/src/x.ts', 'node:crypto'],
  ['packages/ring/src/x.ts', 'node:fs/promises'],
  ['packages/ring/src/x.ts', 'murmurhash'],
  ['packages/ring/src/x.ts', '@scope/murmurhash/three'],
  ['packages/client/src/x.ts', 'node:fs/promises'],
  ['packages/protocol/src/x.ts', '@ringway/ring'],
  ['packages/protocol/src/x.ts', 'node:buffer'],
  ['packages/service/src/x.ts', '@ringway/ring'],
  ['packages/service/src/deep/x.ts', '@ringway/membership'],
  ['packages/membership/src/x.ts', '@ringway/link'],
  ['packages/membership/src/x.ts', '@ringway/locator'],
  ['packages/link/src/x.ts', '@ringway/client'],
  ['packages/link/src/x.ts', 'node:events'],
  ['packages/client/src/x.ts', '@ringway/ring'],
  ['packages/client/src/x.ts', '@ringway/membership'],
  ['packages/client/src/x.ts', '@ringway/service'],
  ['packages/client/src/x.ts', 'node:http'],
  ['packages/client/src/x.ts', 'ws'],
  ['packages/client/src/node.ts', '@ringway/ring'],
  ['packages/push/src/x.ts', '@ringway/node'],
  ['packages/locator/src/x.ts', '@ringway/node'],
  ['packages/locator/src/x.ts', 'ringway'],
  ['packages/node/src/x.ts', '@ringway/locator'],
  ['packages/node/src/x.ts', '@ringway/client'],
  ['packages/ingest/src/x.ts', '@ringway/node'],
  ['packages/ingest/src/x.ts', '@ringway/membership'],
  ['packages/push/src/x.ts', '@ringway/ingest'],
  ['packages/node/src/x.ts', '@ringway/ingest'],
  ['packages/ringway/src/x.ts', '@ringway/testkit'],
  ['packages/membership/src/x.ts', 'consul'],
  ['packages/node/src/x.ts', 'ioredis'],
  ['packages/ingest/src/x.ts', 'ioredis'],
  ['packages/ingest/src/x.ts', 'amqplib'],
  ['packages/ingest/src/kafka/progress.ts', '@platformatic/kafka'],
  ['packages/ingest/src/port.ts', './redis/redis-source.ts'],
  ['packages/locator/src/x.ts', 'fastify'],
  ['packages/node/src/x.ts', '@fastify/cors'],
  ['packages/membership/src/port.ts', './consul-membership.ts'],
  ['packages/node/src/log/port.ts', './memory.ts'],
  ['packages/push/src/x.ts', '@ringway/ring/src/hash.ts'],
  ['packages/push/src/x.ts', '../../ring/src/hash.ts'],
  ['e2e/x.ts', '../packages/ring/src/hash.ts'],
  ['examples/chat/x.ts', '@ringway/protocol'],
  ['examples/chat/x.ts', '@ringway/testkit'],
  ['examples/chat/x.ts', '../../packages/client/src/index.ts'],
];

const whole: [file: string, imported: string][] = [
  ['packages/ring/src/ok.ts', './hash.ts'],
  ['packages/ring/src/deep/ok.ts', '../hash.ts'],
  ['packages/service/src/ok.ts', '@ringway/protocol'],
  ['packages/service/src/ok.ts', 'node:fs'],
  ['packages/membership/src/consul-membership.ts', 'consul'],
  ['packages/membership/src/port.ts', './member.ts'],
  ['packages/client/src/node.ts', 'ws'],
  ['packages/client/src/ok.ts', '@ringway/link'],
  ['packages/locator/src/app.ts', 'fastify'],
  ['packages/locator/src/routes/route.ts', 'fastify'],
  ['packages/node/src/internal-app.ts', 'fastify'],
  ['packages/node/src/redis-log.ts', 'ioredis'],
  ['packages/node/src/ok.ts', '@ringway/ring'],
  ['packages/node/src/deep/deeper/ok.ts', '../../hub.ts'],
  ['packages/ingest/src/ok.ts', '@ringway/push'],
  ['packages/ingest/src/redis/redis-source.ts', 'ioredis'],
  ['packages/ingest/src/kafka/kafka-share.ts', '@platformatic/kafka'],
  ['packages/ingest/src/rabbitmq/rabbitmq-source.ts', 'amqplib'],
  ['packages/ringway/src/ok.ts', '@ringway/locator'],
  ['packages/ringway/src/ok.ts', '@ringway/ingest'],
  ['examples/chat/ok.ts', '@ringway/client'],
  ['examples/chat/ok.ts', '@ringway/push'],
];

const forms = [
  (from: string) => `import '${from}';`,
  (from: string) => `import type { A } from '${from}';`,
  (from: string) => `export { a } from '${from}';`,
  (from: string) => `export const b = import('${from}');`,
];

interface Diagnostic {
  message: string;
  location: { path: string; start: { line: number } };
}

function lint(cwd: string): Promise<Diagnostic[]> {
  const args = ['lint', '--reporter=json', '--max-diagnostics=none', '.'];
  return new Promise((resolve, reject) => {
    execFile(join(root, 'node_modules/.bin/biome'), args, { cwd }, (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve((JSON.parse(stdout) as { diagnostics: Diagnostic[] }).diagnostics);
    });
  });
}

describe('the walls', () => {
  let folder = '';
  const lines = new Map<string, string[]>(); // file -> its lines; a case stands in its file on one line a form
  const hits = new Set<string>(); // file:line where a wall was reported

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ringway-walls-'));
    for (const [file, imported] of [...broken, ...whole]) {
      lines.set(file, [...(lines.get(file) ?? []), ...forms.map((form) => form(imported))]);
    }
    for (const [file, text] of lines) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), `${text.join('\n')}\n`);
    }
    for (const rules of ['biome.json', '.gitignore', 'scripts/walls']) {
      await cp(join(root, rules), join(folder, rules), { recursive: true });
    }
    for (const { message, location } of await lint(folder)) {
      if (message.startsWith('Wall:')) hits.add(`${location.path}:${location.start.line}`);
    }
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** The forms of importing it that were reported. */
  function reported(file: string, imported: string): string[] {
    return forms
      .map((form) => form(imported))
      .filter((text) => hits.has(`${file}:${(lines.get(file)?.indexOf(text) ?? -1) + 1}`));
  }

  it.each(broken)('%s may not import %s', (file, imported) => {
    expect(reported(file, imported)).toEqual(forms.map((form) => form(imported)));
  });

  it.each(whole)('%s may import %s', (file, imported) => {
    expect(reported(file, imported)).toEqual([]);
  });
});
