import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onCore } from './proc.ts';

/** What a worker says to a job. */
export type WorkerAnswer = { readonly result: unknown } | { readonly error: string };

/** A process on the core of the load that does jobs, one after the other; one for each run, so that none inherits another's heap. */
export class Worker implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcess;

  /** `script`: its path from bench/. */
  constructor(name: string, script: string) {
    const node = [process.execPath, '--conditions=@ringway/source', '--no-warnings'];
    const [execPath = '', ...execArgv] = [...onCore('load'), ...node];
    this.#name = name;
    this.#child = fork(fileURLToPath(new URL(`../${script}`, import.meta.url)), { execPath, execArgv });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Rejects when the job fails, the process ends, or it takes longer than `limitMs`. */
  async do(job: { readonly job: string }, limitMs: number): Promise<unknown> {
    const done = new AbortController();
    try {
      this.#child.send(job);
      const answer = await Promise.race([
        once(this.#child, 'message', { signal: done.signal }).then(([message]) => message as WorkerAnswer),
        once(this.#child, 'exit', { signal: done.signal }).then((): WorkerAnswer => ({ error: 'it ended' })),
        new Promise<WorkerAnswer>((resolve) => {
          const timer = setTimeout(resolve, limitMs, { error: `no answer in ${limitMs} ms` });
          done.signal.addEventListener('abort', () => clearTimeout(timer));
        }),
      ]);
      if ('error' in answer) throw new Error(`${this.#name}: ${job.job}: ${answer.error}`);
      return answer.result;
    } finally {
      done.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}
