/**
 * Runs something every so many milliseconds, at multiples of them on the process's monotonic clock: timers whose periods
 * divide each other fire together, so that an idle process is woken once for all of them. Keeps no process alive.
 *
 * @param run gets how late it was called, in milliseconds.
 * @returns the function that ends it.
 */
export function every(periodMs: number, run: (lateMs: number) => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (after: number): void => {
    const now = performance.now();
    // a timer can be early by a part of a millisecond: that is the one that was due, and not another
    const due = Math.max(after, (Math.floor(now / periodMs) + 1) * periodMs);
    timer = setTimeout(
      () => {
        // before it runs: it may end this, and what it throws must not
        arm(due + periodMs);
        run(Math.max(0, performance.now() - due));
      },
      Math.ceil(due - now),
    );
    timer.unref();
  };
  arm(0);
  return () => clearTimeout(timer);
}
