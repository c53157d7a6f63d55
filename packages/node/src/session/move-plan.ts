/** What is to be done one by one, in random order, spread evenly over a time. */
export class MovePlan<T> {
  private readonly items: T[];
  private readonly began: number;
  private readonly durationMs: number;
  /** Plans of many nodes begin at one moment: the first step of each is not at that one. */
  private readonly offset: number;
  private done = 0;

  /** `began` in milliseconds; `random` in [0, 1). */
  constructor(items: readonly T[], began: number, durationMs: number, random: () => number) {
    this.items = [...items];
    this.began = began;
    this.durationMs = durationMs;
    this.offset = random();
    for (let i = this.items.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      const item = this.items[i] as T;
      this.items[i] = this.items[j] as T;
      this.items[j] = item;
    }
  }

  /** What has become due since the last call. */
  due(now: number): readonly T[] {
    const { items, began, durationMs } = this;
    const part = durationMs <= 0 ? 1 : (now - began) / durationMs;
    const until = part >= 1 ? items.length : Math.floor(part * items.length + this.offset);
    if (until <= this.done) return [];
    const due = items.slice(this.done, until);
    this.done = until;
    return due;
  }

  get finished(): boolean {
    return this.done === this.items.length;
  }
}
