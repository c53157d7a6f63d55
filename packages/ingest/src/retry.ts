/** Bounds of a backoff, in milliseconds. */
export interface RetryBounds {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Full jitter: anything up to base x 2^(n-1), at most the cap, after the `failures`-th failure in a row (from 1). */
export function jitterMs(failures: number, { baseMs, capMs }: RetryBounds, random: () => number): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30)) * random();
}

/** Resolves after that time, or as soon as the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

/** Resolves when the promise is settled either way, or after that time. */
export async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise.catch(() => {}), late]);
  clearTimeout(timer);
}

/** Does something over and over until it succeeds or the signal is aborted; says how it failed each time. */
export async function untilDone(
  attempt: () => Promise<unknown>,
  options: {
    readonly bounds: RetryBounds;
    readonly random: () => number;
    readonly signal: AbortSignal;
    failed(error: unknown): void;
  },
): Promise<boolean> {
  const { bounds, random, signal, failed } = options;
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      await attempt();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      failed(error);
      await pause(jitterMs(failures, bounds, random), signal);
    }
  }
  return false;
}

/**
 * Holds a connection: runs one session after the other, with full jitter between them, until the signal is aborted or
 * a session ends by itself. `stood` is called by a session that has come so far that its failure is a new one.
 */
export async function keepUp(
  session: (stood: () => void) => Promise<void>,
  options: {
    readonly bounds: RetryBounds;
    readonly random: () => number;
    readonly signal: AbortSignal;
    failed(error: unknown): void;
  },
): Promise<void> {
  const { bounds, random, signal, failed } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await session(() => {
        failures = 0;
      });
      return;
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
      await pause(jitterMs(++failures, bounds, random), signal);
    }
  }
}
