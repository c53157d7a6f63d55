import { setTimeout as sleep } from 'node:timers/promises';

/** Bounds and words of {@link waitFor}. */
export interface WaitOptions {
  /** Milliseconds; 10,000 by default. */
  readonly timeout?: number;
  /** Milliseconds between two looks; 20 by default. */
  readonly interval?: number;
  /** What is awaited, for the error: "bob hears alice". */
  readonly message: string;
}

/** The condition did not come true in time. */
export class WaitTimeoutError extends Error {
  override readonly name = 'WaitTimeoutError';
  readonly code = 'wait_timeout';

  constructor(message: string, timeout: number, last: unknown, options?: ErrorOptions) {
    super(`waited ${timeout} ms in vain for: ${message} (last seen: ${describe(last)})`, options);
  }
}

/**
 * Looks until the condition gives something truthy, and resolves with that. A condition that throws or rejects counts as
 * not yet true; the last error is the cause of the one that tells of the timeout.
 *
 * @throws WaitTimeoutError with what the condition gave last.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | undefined | null | 0 | ''>> {
  const { timeout = 10_000, interval = 20, message } = options;
  const deadline = performance.now() + timeout;
  for (;;) {
    let last: unknown;
    let cause: unknown;
    try {
      const value = await within(condition, deadline - performance.now());
      if (value) return value as Exclude<T, false | undefined | null | 0 | ''>;
      last = value;
    } catch (error) {
      cause = error;
      last = error instanceof Error ? `${error.name}: ${error.message}` : error;
    }
    if (performance.now() + interval > deadline) {
      throw new WaitTimeoutError(message, timeout, last, cause === undefined ? undefined : { cause });
    }
    await sleep(interval);
  }
}

/** A look that never ends is a look that failed. */
async function within<T>(condition: () => T | Promise<T>, ms: number): Promise<T> {
  const pending = condition();
  if (!(pending instanceof Promise)) return pending;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('this look did not end')), Math.max(1, ms));
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
