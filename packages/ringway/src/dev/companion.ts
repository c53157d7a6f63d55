import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';

/** How long it may take to end once it was asked to, in milliseconds. */
const GRACE_MS = 5_000;

/** The status of a shell for what could not be started. */
export const NOT_STARTED = 127;

/** A program that runs beside the cluster, at the same terminal. */
export class Companion {
  /** Its exit status, as a shell tells it: 128 + number after a signal, {@link NOT_STARTED}. */
  readonly exited: Promise<number>;
  readonly #child: ChildProcess;

  /**
   * `env` comes on top of this process's own, and the Node.js of this process first in its PATH: another may be too old for
   * the SDKs. `failed` is told why it could not be started.
   *
   * @throws Error for some of the reasons, which the system tells at once
   */
  constructor(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    failed: (error: Error) => void,
  ) {
    const [program = '', ...args] = command;
    const PATH = [dirname(process.execPath), process.env['PATH']].filter(Boolean).join(delimiter);
    this.#child = spawn(program, args, { env: { ...process.env, PATH, ...env }, stdio: 'inherit' });
    // a second signal ends this process at once, and nothing may stay behind
    process.once('exit', () => this.#child.kill('SIGKILL'));
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
      this.#child.once('error', (error) => {
        if (this.#child.pid !== undefined) return;
        failed(error);
        resolve(NOT_STARTED);
      });
    });
  }

  /** SIGTERM, and SIGKILL when it does not end in time. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS);
    await this.exited;
    clearTimeout(timer);
  }
}
