import { type CpuTime, cpuTime } from '../support/proc.ts';

/** Shares of a while: ran, and waited for a core that others had. Waits of several processes add up. */
export interface CoreUse {
  readonly ran: number;
  readonly waited: number;
}

/** How busy processes are from now on. Those that end or begin in between count from what is known of them. */
export class CoreWatch {
  readonly #began = performance.now();
  readonly #first = new Map<number, CpuTime>();
  readonly #last = new Map<number, CpuTime>();
  readonly #timer: NodeJS.Timeout;
  readonly #pids: () => readonly number[];

  constructor(pids: () => readonly number[]) {
    this.#pids = pids;
    this.#look();
    this.#timer = setInterval(() => this.#look(), 100);
  }

  end(): CoreUse {
    clearInterval(this.#timer);
    this.#look();
    const micros = (performance.now() - this.#began) * 1000;
    let [ran, waited] = [0, 0];
    for (const [pid, last] of this.#last) {
      const first = this.#first.get(pid);
      ran += last.ran - (first?.ran ?? 0);
      waited += last.waited - (first?.waited ?? 0);
    }
    return { ran: ran / micros, waited: waited / micros };
  }

  #look(): void {
    for (const pid of this.#pids()) {
      try {
        const time = cpuTime([pid]);
        if (!this.#first.has(pid)) this.#first.set(pid, time);
        this.#last.set(pid, time);
      } catch {
        // it has ended
      }
    }
  }
}
