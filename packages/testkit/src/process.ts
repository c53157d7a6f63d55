import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** How to start a process. */
export interface LaunchOptions {
  /** The program: a path, or a name on PATH. For Node programs `process.execPath`. */
  readonly command: string;
  readonly args?: readonly string[];
  /** Added to this process's environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Name in messages; the command by default. */
  readonly name?: string;
  /** Characters of output kept, the latest; 256 Ki by default. */
  readonly logLimit?: number;
  /** How long `stop` waits after SIGTERM before SIGKILL, in milliseconds; 5,000 by default. */
  readonly graceMs?: number;
}

/** How a process ended. One of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const living = new Set<ChildProcess>();
// The last resort when a test process ends without disposing: nothing may outlive it.
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

// Against the end that no handler sees (SIGKILL, a worker that is terminated) the kernel helps, where there is Linux: it
// kills the child with the one that started it. setpriv then becomes the program itself, under the same id.
const SETPRIV = '/usr/bin/setpriv';

/** The command under guard, where there is one. A program that is not there is left to fail by itself, in spawn. */
function guarded(command: string, path: string, args: readonly string[]): [string, ...string[]] {
  const places = command.includes('/') ? [''] : path.split(delimiter);
  const found = existsSync(SETPRIV) && places.some((place) => existsSync(join(place, command)));
  return found ? [SETPRIV, '--pdeathsig', 'KILL', '--', command, ...args] : [command, ...args];
}

/** Starts a process. Resolves once it runs; rejects when it cannot be started at all. */
export async function launch(options: LaunchOptions): Promise<RunningProcess> {
  const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  const [program, ...args] = guarded(options.command, env['PATH'] ?? '', options.args ?? []);
  const child = spawn(program, args, {
    env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const running = new RunningProcess(child, options);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return running;
}

/** A child process: frozen, thawed, killed or stopped by its own id, with its latest output at hand. */
export class RunningProcess implements AsyncDisposable {
  readonly name: string;
  /** Resolves when the process has ended and its output has been read. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #limit: number;
  readonly #graceMs: number;
  readonly #listeners = new Set<() => void>();
  #output = '';
  #exit: Exit | undefined;

  constructor(child: ChildProcess, options: LaunchOptions) {
    this.#child = child;
    this.name = options.name ?? options.command;
    this.#limit = options.logLimit ?? 262_144;
    this.#graceMs = options.graceMs ?? 5_000;
    living.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    }
    this.exited = new Promise((resolve) => {
      const ended = (exit: Exit): void => {
        living.delete(child);
        this.#exit ??= exit;
        for (const listener of this.#listeners) listener();
        resolve(this.#exit);
      };
      child.once('close', (code, signal) => ended({ code, signal }));
      child.once('error', () => {
        if (child.pid === undefined) ended({ code: null, signal: null });
      });
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.name} was never started`);
    return pid;
  }

  get running(): boolean {
    return this.#exit === undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The latest output, standard output and error as they came. */
  get output(): string {
    return this.#output;
  }

  /** Resolves with the match once the output matches; rejects when the process ends or the time is over. */
  waitForOutput(pattern: RegExp, timeoutMs = 10_000): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        act();
      };
      const fail = (why: string): void =>
        settle(() =>
          reject(new Error(`${this.name} ${why} before its output matched ${pattern}:\n${this.#output}`)),
        );
      const look = (): void => {
        const match = new RegExp(pattern.source, pattern.flags.replace('g', '')).exec(this.#output);
        if (match !== null) settle(() => resolve(match));
        else if (this.#exit !== undefined) fail(`ended (${JSON.stringify(this.#exit)})`);
      };
      const timer = setTimeout(() => fail(`took more than ${timeoutMs} ms`), timeoutMs);
      this.#listeners.add(look);
      look();
    });
  }

  /** Sends a signal; nothing happens when the process has ended. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGSTOP: the process stands still, its sockets stay open. */
  freeze(): void {
    this.signal('SIGSTOP');
  }

  /** SIGCONT. */
  thaw(): void {
    this.signal('SIGCONT');
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exited;
  }

  /** SIGTERM (a frozen process is thawed first), SIGKILL after the grace, and waits for the end. */
  async stop(): Promise<Exit> {
    this.signal('SIGTERM');
    this.thaw();
    const timer = setTimeout(() => this.signal('SIGKILL'), this.#graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #take(text: string): void {
    this.#output = (this.#output + text).slice(-this.#limit);
    for (const listener of this.#listeners) listener();
  }
}
