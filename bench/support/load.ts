import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, ConnectJob, ConnectResult, Job, SendJob, SendResult } from '../load/jobs.ts';
import { onCore } from './proc.ts';

/** The load process, on its core; one for each run, so that none inherits another's heap. */
export class Load implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor() {
    const node = [process.execPath, '--conditions=@ringway/source', '--no-warnings'];
    const [execPath = '', ...execArgv] = [...onCore('load'), ...node];
    this.#child = fork(fileURLToPath(new URL('../load/main.ts', import.meta.url)), { execPath, execArgv });
  }

  /** Rejects when a client was refused, or when it takes longer than `limitMs`. */
  connect(job: Omit<ConnectJob, 'job'>, limitMs = 60_000): Promise<ConnectResult> {
    return this.#do({ job: 'connect', ...job }, limitMs) as Promise<ConnectResult>;
  }

  send(job: Omit<SendJob, 'job'>): Promise<SendResult> {
    return this.#do({ job: 'send', ...job }, job.warmUpMs + job.measureMs + 20_000) as Promise<SendResult>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  async #do(job: Job, limitMs: number): Promise<unknown> {
    const done = new AbortController();
    try {
      this.#child.send(job);
      const answer = await Promise.race([
        once(this.#child, 'message', { signal: done.signal }).then(([message]) => message as Answer),
        once(this.#child, 'exit', { signal: done.signal }).then((): Answer => ({ error: 'it ended' })),
        new Promise<Answer>((resolve) => {
          const timer = setTimeout(resolve, limitMs, { error: `no answer in ${limitMs} ms` });
          done.signal.addEventListener('abort', () => clearTimeout(timer));
        }),
      ]);
      if ('error' in answer) throw new Error(`load: ${job.job}: ${answer.error}`);
      return answer.result;
    } finally {
      done.abort();
    }
  }
}
