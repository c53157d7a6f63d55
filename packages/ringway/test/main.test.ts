import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeVersionProblem } from '../src/node-version.ts';
import { ownCommand } from '../src/own-command.ts';

const ROOT = join(import.meta.dirname, '../../..');
const MAIN = join(ROOT, 'packages/ringway/src/main.ts');

test.each([
  ['v22.18.0', true],
  ['v22.17.1', false],
  ['v20.20.2', false],
  ['v23.0.0', true],
  ['v24.11.1', true],
])('Node.js %s: %s', (version, enough) => {
  expect(nodeVersionProblem(version) === undefined).toBe(enough);
});

test('on an old Node.js the command ends with 2 and a line, before it loads anything', () => {
  const older = 'data:text/javascript,Object.defineProperty(process,"version",{value:"v20.20.2"})';
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', older, MAIN, 'version'], {
    encoding: 'utf8',
  });
  expect({ status, stdout, stderr }).toEqual({
    status: 2,
    stdout: '',
    stderr: 'ringway needs Node.js 22.18 or later; this is v20.20.2\n',
  });
});

test.each([
  [ROOT, 'scripts/ringway'],
  [join(ROOT, 'docs'), '../scripts/ringway'],
  [join(ROOT, 'scripts'), './ringway'],
])('the command as it is typed in %s of a checkout runs there', (cwd, command) => {
  expect(ownCommand(cwd)).toBe(command);
  const { status, stdout } = spawnSync(command, ['version'], { cwd, encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ringway \d/);
});

test('an ingest whose port is taken says so in a line, and ends with 1', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const env = {
      ...process.env,
      RINGWAY_CLUSTER_KEYS: 'a-cluster-key-for-tests-of-32-bytes!',
      RINGWAY_INGEST_SOURCE: 'redis',
      RINGWAY_INGEST_QUEUE: 'orders',
      RINGWAY_INGEST_MAPPING: join(import.meta.dirname, 'fixtures/mapping.json'),
      RINGWAY_INGEST_LOCATORS: 'http://127.0.0.1:1',
      RINGWAY_INTERNAL_LISTEN: `127.0.0.1:${port}`,
    };
    const run = [
      process.execPath,
      ['--conditions=@ringway/source', MAIN, 'ingest'],
      { env, encoding: 'utf8' },
    ] as const;
    const { status, stdout, stderr } = spawnSync(...run);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    const [line = '', ...more] = stdout.trim().split('\n');
    expect(more).toEqual([]);
    expect(JSON.parse(line)).toMatchObject({
      level: 'fatal',
      code: 'EADDRINUSE',
      msg: `cannot listen on 127.0.0.1:${port} (RINGWAY_INTERNAL_LISTEN): another process listens there`,
    });
    expect(line).not.toContain('stack');
  } finally {
    server.close();
  }
});
