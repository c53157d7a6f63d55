import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { type Exit, launch, type RunningProcess } from './process.ts';
import { waitFor } from './wait-for.ts';

/** One locator, node or ingest of a cluster. */
export interface ProcessSpec {
  readonly kind: 'locator' | 'node' | 'ingest';
  /** The how-manieth of its kind. */
  readonly number: number;
  readonly id: string;
  /** Where clients reach it: `http://…` or `https://…`, without a slash at the end. */
  readonly publicUrl: string;
  /** Where backends and peers reach it. */
  readonly internalUrl: string;
  /** PEM authority by which its https is trusted. */
  readonly ca?: string;
  readonly command: readonly string[];
  /** How long it may take to be ready, in milliseconds; 20,000 by default. */
  readonly startMs?: number;
  /** The same at every start. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A locator, node or ingest as a process of its own, that can be stopped, killed, frozen and started again as it was. */
export class ClusterProcess implements AsyncDisposable {
  readonly id: string;
  readonly number: number;
  readonly publicUrl: string;
  readonly internalUrl: string;
  readonly env: ProcessSpec['env'];
  readonly #spec: ProcessSpec;
  readonly #agent: Agent;
  readonly #ended: RunningProcess[] = [];
  #process: RunningProcess | undefined;

  constructor(spec: ProcessSpec) {
    this.#spec = spec;
    this.id = spec.id;
    this.number = spec.number;
    this.publicUrl = spec.publicUrl;
    this.internalUrl = spec.internalUrl;
    this.env = spec.env;
    this.#agent = new Agent({ ...(spec.ca === undefined ? {} : { connect: { ca: spec.ca } }) });
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error(`${this.id} was never started`);
    return this.#process;
  }

  get running(): boolean {
    return this.#process?.running ?? false;
  }

  /** What it logged last. */
  get output(): string {
    return this.process.output;
  }

  /** The same of all its starts, one behind the other. */
  get outputs(): string {
    return [...this.#ended, this.process].map(({ output }) => output).join('');
  }

  /** Starts it, the first time or again after its end, and waits until `/readyz` says yes. */
  async start(env: ProcessSpec['env'] = {}): Promise<void> {
    const [command = process.execPath, ...args] = this.#spec.command;
    const running = await launch({
      command,
      args,
      name: this.id,
      env: { ...this.env, ...env },
      graceMs: 15_000,
    });
    if (this.#process) this.#ended.push(this.#process);
    this.#process = running;
    await waitFor(
      async () => {
        if (!running.running) return 'ended';
        return (await this.fetch('internal', '/readyz')).ok && 'ready';
      },
      { message: `${this.id} to be ready`, timeout: this.#spec.startMs ?? 20_000, interval: 30 },
    ).catch((error: unknown) => {
      throw new Error(`${this.id} is not ready:\n${running.output}`, { cause: error });
    });
    if (!running.running) throw new Error(`${this.id} ended at once:\n${running.output}`);
  }

  /** A request to one of its listeners, bounded to 10 s unless `init` has a signal of its own. */
  fetch(listener: 'public' | 'internal', path: string, init: RequestInit = {}): Promise<Response> {
    const base = listener === 'public' ? this.publicUrl : this.internalUrl;
    return fetch(`${base}${path}`, { signal: AbortSignal.timeout(10_000), ...init, dispatcher: this.#agent });
  }

  /** The value of a metric, summed over its labels that match; 0 when it has not been counted yet. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const text = await (await this.fetch('internal', '/metrics')).text();
    let sum = 0;
    for (const line of text.split('\n')) {
      const [, found, given = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
      if (found !== name) continue;
      if (Object.entries(labels).every(([label, wanted]) => given.includes(`${label}="${wanted}"`))) {
        sum += Number(value);
      }
    }
    return sum;
  }

  /** SIGTERM, and waits for the end: a planned stop. */
  stop(): Promise<Exit> {
    return this.process.stop();
  }

  /** SIGKILL: a crash. */
  kill(): Promise<Exit> {
    return this.process.kill();
  }

  /** The machine stands still: sockets stay open, nothing moves. */
  freeze(): void {
    this.process.freeze();
  }

  thaw(): void {
    this.process.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A test is over: what the process would still do for its sessions is of no interest.
    await this.#process?.kill();
    await this.#agent.destroy();
  }
}
