import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0))
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
});

/** Starts the fixture; `seen(text)` resolves when its output holds the text. */
function run(mode: string, ...more: readonly string[]) {
  const script = fileURLToPath(new URL('./fixtures/run.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--conditions=@ringway/source', '--no-warnings', script, mode, ...more],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  started.push(child);
  let output = '';
  const waiting = new Set<() => void>();
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      for (const check of waiting) check();
    });
  }
  const seen = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if (!output.includes(text)) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
      void ended.then(() => setImmediate(() => reject(new Error(`ended before "${text}": ${output}`))));
    });
  return { child, ended, seen, output: () => output };
}

test('SIGTERM stops gracefully, with 0', async () => {
  const { child, ended, seen, output } = run('normal');
  await seen('"Running"');
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(output()).toContain('"Terminated"');
});

test('a second signal ends the process at once', async () => {
  const { child, ended, seen } = run('hangs');
  await seen('"Running"');
  child.kill('SIGINT');
  await seen('"Stopping"');
  child.kill('SIGINT');
  expect(await ended).toBe(130);
});

test('SIGHUP reloads, and a failed reload harms nothing', async () => {
  const { child, ended, seen } = run('normal');
  await seen('"Running"');
  child.kill('SIGHUP');
  await seen('bad file');
  child.kill('SIGHUP');
  await seen('"reloaded"');
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

test.each([
  ['start-fails', 'cannot start'],
  ['rejects', 'nobody cared'],
  ['throws', 'nobody caught'],
])('%s: logged, and exits with 1', async (mode, message) => {
  const { ended, output } = run(mode);
  expect(await ended).toBe(1);
  expect(output()).toContain(message);
});

test('a port that is taken is told in one line without a stack, and exits with 1', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  try {
    const { port } = other.address() as AddressInfo;
    const { ended, output } = run('port-taken', String(port));
    expect(await ended).toBe(1);
    expect(output()).toContain(
      `cannot listen on 127.0.0.1:${port} (RINGWAY_X_LISTEN): another process listens there`,
    );
    expect(output()).not.toContain('stack');
  } finally {
    other.close();
  }
});
