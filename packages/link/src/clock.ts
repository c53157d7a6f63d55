/** Time, so that tests own it. `now` is in milliseconds; a wall clock is meant, which goes on while a machine sleeps. */
export interface LinkClock {
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** The clock of the machine. */
export const systemClock: LinkClock = Object.freeze({
  now: () => Date.now(),
  setTimeout: (run: () => void, ms: number): unknown => setTimeout(run, ms),
  clearTimeout: (timer: unknown) => clearTimeout(timer as ReturnType<typeof setTimeout>),
});

/** Runs something once, later; the answer is a function that calls it off, and does no harm when it is too late. */
export function after(clock: LinkClock, ms: number, run: () => void): () => void {
  const timer = clock.setTimeout(run, ms);
  return () => clock.clearTimeout(timer);
}
