import { Worker } from '../support/worker.ts';
import type { ArriveJob, Job, Look, Phase, TalkJob, Told } from './jobs.ts';

/** The clients of a fleet, in a process of their own. */
export class Crowd implements AsyncDisposable {
  readonly #worker = new Worker('crowd', 'fleet/main.ts');

  get pid(): number {
    return this.#worker.pid;
  }

  arrive(job: Omit<ArriveJob, 'job'>): Promise<Look> {
    return this.#do({ job: 'arrive', ...job }, 180_000);
  }

  talk(job: Omit<TalkJob, 'job'>): Promise<void> {
    return this.#do({ job: 'talk', ...job });
  }

  phase(phase: Phase): Promise<void> {
    return this.#do({ job: 'phase', phase });
  }

  look(): Promise<Look> {
    return this.#do({ job: 'look' });
  }

  /** `node`: whose people's return is told. */
  hush(node?: string): Promise<Told> {
    return this.#do({ job: 'hush', node }, 60_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#worker[Symbol.asyncDispose]();
  }

  async #do<T>(job: Job, limitMs = 30_000): Promise<T> {
    return (await this.#worker.do(job, limitMs)) as T;
  }
}
