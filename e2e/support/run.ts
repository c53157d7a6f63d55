import { resolve } from 'node:path';
import { launch } from '@ringway/testkit';

const ROOT = resolve(import.meta.dirname, '../..');

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  await using running = await launch({ command, args, env });
  const { code } = await running.exited;
  return { code, output: running.output };
}

/** `curl` with the cluster's authority; the body, and the status behind it. */
export async function curl(
  caFile: string,
  ...args: readonly string[]
): Promise<{ readonly status: number; readonly body: string }> {
  const { code, output } = await run('curl', ['-sS', '--cacert', caFile, '-w', '\n%{http_code}', ...args]);
  if (code !== 0) throw new Error(`curl ended with ${code}: ${output}`);
  const line = output.lastIndexOf('\n');
  return { status: Number(output.slice(line + 1)), body: output.slice(0, line) };
}

/** Runs `ringway COMMAND…` from source to its end, with these settings and none of this process's own. */
export function ringway(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  const own = Object.keys(process.env).filter((name) => name.startsWith('RINGWAY_'));
  return run(
    resolve(ROOT, 'node_modules/.bin/node'),
    ['--conditions=@ringway/source', resolve(ROOT, 'packages/ringway/src/main.ts'), ...args],
    {
      ...Object.fromEntries(own.map((name) => [name, undefined])),
      // what the processes of testkit have compiled need not be compiled again
      NODE_COMPILE_CACHE: resolve(ROOT, 'node_modules/.cache/ringway-testkit'),
      ...env,
    },
  );
}
