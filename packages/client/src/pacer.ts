import type { LinkClock } from '@ringway/link';

/** Keeps within what the node takes in a second, so that a queue that was filled while away is not refused. */
export class Pacer {
  readonly #clock: LinkClock;
  #perSecond = 0;
  #tokens = 0;
  #at = 0;

  constructor(clock: LinkClock) {
    this.#clock = clock;
  }

  /** A rate of 0 is no limit. */
  start(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#at = this.#clock.now();
  }

  /** How long until one more may go, in milliseconds. */
  waitMs(): number {
    if (!(this.#perSecond > 0)) return 0;
    const now = this.#clock.now();
    const earned = (Math.max(0, now - this.#at) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned);
    this.#at = now;
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond);
  }

  take(): void {
    this.#tokens--;
  }
}
