/**
 * How long to wait before the next attempt, in milliseconds: a pure function of how many attempts in a row have failed
 * before (0 for the first wait) and of a random number in [0, 1).
 */
export type BackoffPolicy = (attempt: number, random: number) => number;

/** Bounds of {@link fullJitter}, in milliseconds. */
export interface JitterBounds {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * Full jitter: anything from nothing up to `baseMs * 2^attempt`, at most `capMs`. Clients that were all thrown out at
 * one moment come back spread over the whole interval, and not in waves.
 */
export function fullJitter({ baseMs, capMs }: JitterBounds): BackoffPolicy {
  if (!(baseMs > 0 && capMs >= baseMs && Number.isFinite(capMs))) {
    throw new RangeError(`baseMs must be above 0 and capMs no less, they are ${baseMs} and ${capMs}`);
  }
  return (attempt, random) => Math.floor(random * Math.min(capMs, baseMs * 2 ** attempt));
}

/** The SDK's: base 500 ms, cap 20 s. */
export const DEFAULT_BACKOFF: BackoffPolicy = fullJitter({ baseMs: 500, capMs: 20_000 });
