/** So many pages of the log are held for one client at once, whatever it asks for: one that takes nothing keeps them all. */
const MOST_PAGES = 4;

/** Whose turn it is to read: all the replays of one session share its socket, and what they hold of the log is bounded. */
export class PageTurns {
  private open = 0;
  private handing = false;
  private readonly waiting: (() => void)[] = [];

  /** Reads now, or when another has done with its page. */
  take(read: () => void): void {
    this.waiting.push(read);
    this.hand();
  }

  /** A page has been sent, or could not be read. */
  done(): void {
    this.open--;
    this.hand();
  }

  /** In a loop: of a log at hand one is done within the turn that it is given. */
  private hand(): void {
    if (this.handing) return;
    this.handing = true;
    while (this.open < MOST_PAGES && this.waiting.length > 0) {
      this.open++;
      this.waiting.shift()?.();
    }
    this.handing = false;
  }
}
