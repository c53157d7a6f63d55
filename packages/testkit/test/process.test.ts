import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { launch } from '../src/process.ts';
import { waitFor } from '../src/wait-for.ts';

const script = (source: string) => ({ command: process.execPath, args: ['-e', source], name: 'script' });
const forever = 'console.log("up"); setInterval(() => {}, 1000)';

/** The letter by which the kernel tells a process's state: T for stopped. */
function state(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '';
}

describe('launch', () => {
  it('waits for output, tells how it ended', async () => {
    const one = await launch(script('console.log("port 42"); process.exitCode = 3'));
    expect((await one.waitForOutput(/port (\d+)/))[1]).toBe('42');
    expect(await one.exited).toEqual({ code: 3, signal: null });
    await expect(one.waitForOutput(/never/)).rejects.toThrow(
      /ended .* before its output matched[\s\S]*port 42/,
    );
  });

  it('freezes, thaws and kills by id', async () => {
    await using one = await launch(script(forever));
    await one.waitForOutput(/up/);
    one.freeze();
    await waitFor(() => state(one.pid) === 'T', { message: 'it stands still' });
    one.thaw();
    await waitFor(() => state(one.pid) !== 'T', { message: 'it goes on' });
    expect(await one.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(one.running).toBe(false);
  });

  it('keeps the latest output alone', async () => {
    const one = await launch({
      ...script('for (let i = 0; i < 1000; i++) console.log("line " + i)'),
      logLimit: 100,
    });
    await one.exited;
    expect(one.output.length).toBeLessThanOrEqual(100);
    expect(one.output).toContain('line 999');
  });

  it('ends with the scope, even when SIGTERM is not heeded', async () => {
    let pid = 0;
    {
      await using one = await launch({
        ...script(`process.on("SIGTERM", () => {}); ${forever}`),
        graceMs: 100,
      });
      await one.waitForOutput(/up/);
      pid = one.pid;
    }
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('rejects for a program that does not exist', async () => {
    await expect(launch({ command: 'no-such-program' })).rejects.toThrow('ENOENT');
  });
});
