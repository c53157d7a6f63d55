/** What broke in a run: it is told where it happens, and the rest goes on. */
export class Broken {
  readonly #names: string[] = [];

  /** What has broken so far. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Does it; when it rejects, says so, and resolves with nothing. */
  async or<T>(name: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      this.#names.push(name);
      console.error(`bench: ${name}:`, error);
      return undefined;
    }
  }
}
