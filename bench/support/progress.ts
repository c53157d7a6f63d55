/** Says on standard error what is being measured: the table alone goes to standard output. */
export class Progress {
  readonly #total: number;
  readonly #began = performance.now();
  #done = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** One more step begins. */
  step(name: string): void {
    this.#done += 1;
    const seconds = Math.round((performance.now() - this.#began) / 1000);
    process.stderr.write(`[${this.#done}/${this.#total}, ${seconds} s] ${name}\n`);
  }
}
