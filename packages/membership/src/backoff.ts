/** Bounds of a backoff, in milliseconds. */
export interface BackoffBounds {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * How long to wait after the `failures`-th failure in a row (from 1): between half and the whole of base x 2^(n-1), at
 * most the cap. The lower half stays, so that a registry which refuses at once is never asked in a tight loop.
 * `random` gives [0, 1).
 */
export function backoffMs(failures: number, bounds: BackoffBounds, random: () => number): number {
  const whole = Math.min(bounds.capMs, bounds.baseMs * 2 ** Math.min(failures - 1, 30));
  return whole / 2 + random() * (whole / 2);
}
