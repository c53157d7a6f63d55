/** A token bucket: `perSecond` on the long run, twice that at once. Holds two numbers, so that a session can be one. */
export class Rate {
  private tokens: number;
  private at: number;

  constructor(perSecond: number, now: number) {
    this.tokens = 2 * perSecond;
    this.at = now;
  }

  /** Takes one; 0 when there was one, else the milliseconds until there will be. `now` is monotonic, in milliseconds. */
  take(perSecond: number, now: number): number {
    const tokens = Math.min(2 * perSecond, this.tokens + ((now - this.at) * perSecond) / 1000);
    this.at = now;
    if (tokens >= 1) {
      this.tokens = tokens - 1;
      return 0;
    }
    this.tokens = tokens;
    return Math.ceil(((1 - tokens) * 1000) / perSecond);
  }
}
