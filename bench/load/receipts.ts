/** What came of one sender's numbered messages at one place. */
export class Receipts {
  #next = 0;
  #missing: Set<number> | undefined;
  doubled = 0;
  disordered = 0;

  /** Distinct messages that came. */
  get delivered(): number {
    return this.#next - (this.#missing?.size ?? 0);
  }

  /** Takes a message that came. @returns whether it is the first of that number. */
  take(sequence: number): boolean {
    if (sequence === this.#next) {
      this.#next += 1;
    } else if (sequence > this.#next) {
      this.#missing ??= new Set();
      for (let hole = this.#next; hole < sequence; hole += 1) this.#missing.add(hole);
      this.#next = sequence + 1;
    } else if (this.#missing?.delete(sequence)) {
      this.disordered += 1;
    } else {
      this.doubled += 1;
      return false;
    }
    return true;
  }
}
