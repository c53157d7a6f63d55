/** How many, and how fast, one caller may ask. */
export interface RateLimit {
  /** Requests a second in the long run. */
  readonly rate: number;
  /** Requests at once. */
  readonly burst: number;
}

/**
 * A token bucket a key. A bucket that was left alone for as long as it takes to fill is as good as none, so buckets live
 * in two generations, each that long, and the older is dropped whole: memory holds who asked within the last two
 * generations, without a timer and without a walk over the keys.
 */
export class RateLimiter {
  readonly #interval: number;
  readonly #horizon: number;
  /** For each key the time (ms) at which its bucket will be full again. */
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  #turn = Number.NEGATIVE_INFINITY;

  constructor({ rate, burst }: RateLimit) {
    this.#interval = 1000 / rate;
    this.#horizon = this.#interval * burst;
  }

  /**
   * Takes one request out of the key's bucket.
   *
   * @param now milliseconds on a clock that does not go back.
   * @returns 0 when it may pass, else how many milliseconds from now it may.
   */
  take(key: string, now: number): number {
    this.#age(now);
    const full = Math.max(now, this.#young.get(key) ?? this.#old.get(key) ?? now) + this.#interval;
    const wait = full - this.#horizon - now;
    if (wait > 1e-6) return Math.max(1, Math.ceil(wait));
    this.#young.set(key, full);
    return 0;
  }

  /** How many keys are held, for the tests of the bound. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  #age(now: number): void {
    if (now - this.#turn < this.#horizon) return;
    this.#old = now - this.#turn < 2 * this.#horizon ? this.#young : new Map();
    this.#young = new Map();
    this.#turn = now;
  }
}
