import { join } from 'node:path';
import { type Env, freePort, launch, type RunningProcess } from '@ringway/testkit';

const root = join(import.meta.dirname, '../..');

/** An example, by the command of its README. */
export async function startExample(name: string, env: Env = {}): Promise<RunningProcess> {
  return launch({
    command: 'npm',
    args: ['start', '--workspace', `examples/${name}`],
    cwd: root,
    env: { PORT: `${await freePort()}`, ...env },
    name: `example ${name}`,
  });
}

/** A program beside a cluster of its own: `scripts/ringway dev -- COMMAND`. */
export async function startBeside(...command: readonly string[]): Promise<RunningProcess> {
  return launch({
    command: join(root, 'scripts/ringway'),
    args: ['dev', '--', ...command],
    cwd: root,
    name: command.join(' '),
  });
}
