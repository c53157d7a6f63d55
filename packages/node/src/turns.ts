/** Whose turn it is: so many of those who ask are let at once, the others behind them in their order. */
export class Turns {
  private readonly most: number;
  private open = 0;
  private handing = false;
  private waiting: (() => void)[] = [];
  /** Of those who wait; what is before it has begun. */
  private first = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** Begins now, or when another is done. */
  take(begin: () => void): void {
    this.waiting.push(begin);
    this.hand();
  }

  /** One that has begun is done. */
  done(): void {
    this.open--;
    this.hand();
  }

  /** In a loop: what is at hand is done within the turn that it is given. */
  private hand(): void {
    if (this.handing) return;
    this.handing = true;
    while (this.open < this.most && this.first < this.waiting.length) {
      this.open++;
      this.waiting[this.first++]?.();
      // not each by itself: to take the first of a hundred thousand is to move all of them
      if (this.first * 2 < this.waiting.length) continue;
      this.waiting = this.waiting.slice(this.first);
      this.first = 0;
    }
    this.handing = false;
  }
}
