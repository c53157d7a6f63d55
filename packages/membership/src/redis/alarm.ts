import type { Clock } from '../clock.ts';

/** A sleep that can be cut short. What rings while nobody sleeps cuts the next sleep. */
export class Alarm {
  readonly #clock: Clock;
  #rang = false;
  #sleeping: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rang = true;
    this.#sleeping?.abort();
  }

  /** Sleeps for so long, or until it rings. */
  async sleep(ms: number): Promise<void> {
    if (!this.#rang) {
      this.#sleeping = new AbortController();
      await this.#clock.sleep(ms, this.#sleeping.signal);
      this.#sleeping = undefined;
    }
    this.#rang = false;
  }
}
