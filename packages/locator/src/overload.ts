/** How often the event loop is looked at, in milliseconds. */
const SAMPLE_MS = 100;
/** What a caller is asked to wait, at least; up to twice as long, so that not all come back at one moment. Milliseconds. */
const RETRY_MS = 2_000;

export interface OverloadOptions {
  /** How late the event loop may be, in milliseconds. */
  readonly maxLagMs: number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** A random number in [0, 1). */
  readonly random: () => number;
}

/**
 * Whether more is asked than can be answered in time, by how late the event loop is. It is so when it was late twice in a
 * row: one long turn, such as a pause of the machine, is over when it is seen. To ask costs a comparison.
 */
export class Overload {
  readonly #options: OverloadOptions;
  #timer: NodeJS.Timeout | undefined;
  #at = 0;
  #late = false;
  #overloaded = false;

  constructor(options: OverloadOptions) {
    this.#options = options;
  }

  start(): void {
    this.#at = this.#options.now();
    this.#timer = setInterval(() => this.sample(), SAMPLE_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** 0, or how many milliseconds to wait before asking again. */
  get retryAfterMs(): number {
    return this.#overloaded ? Math.ceil(RETRY_MS * (1 + this.#options.random())) : 0;
  }

  /** The timer calls it. */
  sample(): void {
    const now = this.#options.now();
    const late = now - this.#at - SAMPLE_MS > this.#options.maxLagMs;
    this.#overloaded = late && this.#late;
    this.#late = late;
    this.#at = now;
  }
}
