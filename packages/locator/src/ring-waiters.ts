import type { RingSource } from './ring-source.ts';

/** Requests that wait for the ring to change. */
export class RingWaiters {
  readonly #source: RingSource;
  readonly #waiting = new Set<() => void>();
  readonly #unsubscribe: () => void;
  #closed = false;

  constructor(source: RingSource) {
    this.#source = source;
    this.#unsubscribe = source.subscribe(() => this.#wakeAll());
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves as soon as the ring's version is not the one given, after `ms` milliseconds, when the signal aborts, or at
   * {@link close}, whichever is first.
   */
  async wait(
    known: { readonly index: string; readonly checksum?: string },
    ms: number,
    signal: AbortSignal,
  ): Promise<void> {
    const deadline = performance.now() + ms;
    while (!this.#closed && !signal.aborted && this.#isCurrent(known)) {
      const left = deadline - performance.now();
      if (left <= 0) return;
      await this.#nextChange(left, signal);
    }
  }

  /** Lets everyone go, now and from now on. */
  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#wakeAll();
  }

  #isCurrent({ index, checksum }: { readonly index: string; readonly checksum?: string }): boolean {
    const { version } = this.#source.current;
    return version.index === index && (checksum === undefined || version.checksum === checksum);
  }

  #nextChange(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      this.#waiting.add(done);
    });
  }

  #wakeAll(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
