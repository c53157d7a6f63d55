interface Part {
  open: number;
  readonly settled: () => void;
  /** Called once this part and all before it are settled. */
  onSettled: (() => void) | undefined;
}

/** What came in on a link and has no outcome yet, and who wants to know when all that came before their asking has one. */
export class Backlog {
  /** Oldest first; the last one takes what comes. */
  private readonly parts: Part[] = [];
  private last: Part;

  constructor() {
    this.last = this.add();
  }

  /** One more has come; what is returned is to be called when it has its outcome. */
  taken(): () => void {
    this.last.open++;
    return this.last.settled;
  }

  /** Calls when everything taken so far has its outcome; in this very turn when it has. */
  whenSettled(then: () => void): void {
    this.last.onSettled = then;
    this.last = this.add();
    this.release();
  }

  private add(): Part {
    const part: Part = {
      open: 0,
      settled: () => {
        if (--part.open === 0 && part !== this.last) this.release();
      },
      onSettled: undefined,
    };
    this.parts.push(part);
    return part;
  }

  private release(): void {
    while (this.parts.length > 1 && this.parts[0]?.open === 0) this.parts.shift()?.onSettled?.();
  }
}
