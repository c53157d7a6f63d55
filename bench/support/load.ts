import type { ConnectJob, ConnectResult, SendJob, SendResult } from '../load/jobs.ts';
import { Worker } from './worker.ts';

/** The load process. */
export class Load implements AsyncDisposable {
  readonly #worker = new Worker('load', 'load/main.ts');

  /** Rejects when a client was refused, or when it takes longer than `limitMs`. */
  connect(job: Omit<ConnectJob, 'job'>, limitMs = 60_000): Promise<ConnectResult> {
    return this.#worker.do({ job: 'connect', ...job } as ConnectJob, limitMs) as Promise<ConnectResult>;
  }

  send(job: Omit<SendJob, 'job'>): Promise<SendResult> {
    const whole: SendJob = { job: 'send', ...job };
    return this.#worker.do(whole, job.warmUpMs + job.measureMs + 60_000) as Promise<SendResult>;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#worker[Symbol.asyncDispose]();
  }
}
