import { join } from 'node:path';
import { KeyFamily, signCompact } from '@ringway/service';
import { launch, type RunningProcess } from '@ringway/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const AUTH_KEYS = 'a-secret-for-tokens-of-users-of-32-bytes';

/** `ringway dev` on a free port, with a script beside it. */
async function dev(
  options: readonly string[],
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningProcess> {
  const running = await launch({
    command: process.execPath,
    args: [
      ...['--conditions=@ringway/source', MAIN, 'dev', '--nodes', '1', '--port', '0', ...options],
      ...['--', process.execPath, '--eval', script],
    ],
    env: { RINGWAY_AUTH_KEYS: AUTH_KEYS, ...env },
    name: 'ringway dev',
  });
  onTestFinished(() => running[Symbol.asyncDispose]());
  return running;
}

/** Says where the cluster is, and stays. */
const STAYS = 'console.log("found", process.env.LOCATOR_URL); setInterval(() => {}, 1000)';

describe('ringway dev with a command beside it', () => {
  test('gives it the cluster’s addresses and keys, and ends with its status', async () => {
    const script = `
      const { LOCATOR_INTERNAL_URL, RINGWAY_INGEST_LOCATORS, RINGWAY_CLUSTER_KEYS } = process.env;
      fetch(LOCATOR_INTERNAL_URL + '/readyz').then(({ status }) => {
        console.log(status, RINGWAY_INGEST_LOCATORS === LOCATOR_INTERNAL_URL, RINGWAY_CLUSTER_KEYS.length);
        process.exit(3);
      });`;
    const running = await dev([], script);
    expect(await running.exited).toEqual({ code: 3, signal: null });
    expect(running.output).toContain('200 true 64');
  });

  test('ends it when it is ended itself', async () => {
    const script = `process.on('SIGTERM', () => { console.log('asked to end'); process.exit(5); }); ${STAYS}`;
    const running = await dev([], script);
    await running.waitForOutput(/found http/, 20_000);
    running.signal('SIGTERM');
    expect(await running.exited).toEqual({ code: 0, signal: null });
    expect(running.output).toContain('asked to end');
  });

  test('leaves nothing behind when a second signal ends it at once', async () => {
    const script = `process.on('SIGTERM', () => console.log('not yet')); ${STAYS}`;
    const running = await dev([], script);
    await running.waitForOutput(/found http/, 20_000);
    running.signal('SIGTERM');
    await running.waitForOutput(/not yet/);
    running.signal('SIGTERM');
    // which is told only when nobody holds its output any more
    expect(await running.exited).toEqual({ code: 143, signal: null });
  });

  test.each([
    ['no-such-program', 'spawn no-such-program ENOENT'],
    [join(MAIN, 'program'), 'spawn ENOTDIR'],
    ['', "The argument 'file' cannot be empty"],
  ])('says when it cannot be started: %j', async (program, why) => {
    const running = await launch({
      command: process.execPath,
      args: ['--conditions=@ringway/source', MAIN, 'dev', '--nodes', '1', '--port', '0', '--', program],
    });
    onTestFinished(() => running[Symbol.asyncDispose]());
    expect((await running.exited).code).toBe(127);
    expect(running.output).toContain(why);
    expect(running.output).not.toContain('fatal');
  });
});

test('the page’s port serves another page that was named, and it alone, with /route and the SDK', async () => {
  const origin = 'http://127.0.0.1:3000';
  const running = await dev(['--tokens', '--origin', origin], STAYS);
  const [, page] = await running.waitForOutput(/see (http\S+)\//, 20_000);
  const token = signCompact(KeyFamily.parse('RINGWAY_AUTH_KEYS', AUTH_KEYS), 'JWT', '{"sub":"alice"}');
  const ask = async (path: string, headers: Record<string, string>, method = 'GET') => {
    const answer = await fetch(`${page}${path}`, { method, headers });
    await answer.arrayBuffer();
    return [answer.status, answer.headers.get('access-control-allow-origin')];
  };
  await running.waitForOutput(/found http/, 20_000);
  const preflight = {
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'authorization',
  };
  expect(await ask('/route', { origin, ...preflight }, 'OPTIONS')).toEqual([204, origin]);
  expect(await ask('/route', { origin, authorization: `Bearer ${token}` })).toEqual([200, origin]);
  expect(await ask('/route', { origin })).toEqual([401, origin]);
  expect(await ask('/sdk/ringway.js', { origin })).toEqual([200, '*']);
  expect(await ask('/sdk/presence.js', { origin })).toEqual([200, '*']);
  expect(await ask('/dev/state', { origin })).toEqual([403, null]);
  expect(await ask('/route', { origin: 'http://127.0.0.1:4000' })).toEqual([403, null]);
});

test('says which settings it does not read', async () => {
  const running = await dev([], 'process.exit(0)', {
    ...{ RINGWAY_ROUTER: 'directory', RINGWAY_REDIS_URL_FILE: '/nowhere', RINGWAY_LOG: '' },
    ...{ RINGWAY_INGEST_QUEUE: 'orders', RINGWAY_CLUSTER_KEYS: AUTH_KEYS },
  });
  expect((await running.exited).code).toBe(0);
  const [line] = /^ringway dev: .*$/m.exec(running.output) ?? [];
  expect(line).toBe(
    'ringway dev: not used here: RINGWAY_REDIS_URL_FILE, RINGWAY_ROUTER. It is always router ring and memory; for others start ringway node',
  );
});

test('the command beside it finds the Node.js that runs Ringway', async () => {
  const running = await dev(
    [],
    'console.log(require("child_process").execSync("node -p process.execPath").toString())',
    { PATH: '/usr/bin:/bin' },
  );
  expect((await running.exited).code).toBe(0);
  expect(running.output).toContain(`${process.execPath}\n`);
});

test('with --tokens users need one, and may do what it says; another page of this machine may ask', async () => {
  const origin = 'http://127.0.0.1:3000';
  const running = await dev(['--tokens', '--origin', origin], STAYS);
  const [, locator] = await running.waitForOutput(/found (http\S+)/, 20_000);
  const route = (token?: string) =>
    fetch(`${locator}/route`, {
      headers: { origin, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    });
  expect((await route()).status).toBe(401);
  const keys = KeyFamily.parse('RINGWAY_AUTH_KEYS', AUTH_KEYS);
  const cap = { publish: ['user:bob'] };
  const answer = await route(signCompact(keys, 'JWT', JSON.stringify({ sub: 'alice', cap })));
  expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
  const { userId, ticket } = (await answer.json()) as { readonly userId: string; readonly ticket: string };
  expect(userId).toBe('alice');
  const claims = Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString();
  expect(JSON.parse(claims)).toMatchObject({ sub: 'alice', cap: { publish: ['user:bob'], join: [] } });
});
