/** Remembers the ids that came last, so that what comes again is known: at least `most` of them, at most twice that. */
export class RecentIds {
  private readonly most: number;
  private young = new Set<string>();
  private old = new Set<string>();

  constructor(most: number) {
    this.most = most;
  }

  /** Whether it was there before; it is now. */
  seen(id: string): boolean {
    if (this.young.has(id)) return true;
    const before = this.old.has(id);
    this.young.add(id);
    if (this.young.size >= this.most) {
      this.old = this.young;
      this.young = new Set();
    }
    return before;
  }
}
