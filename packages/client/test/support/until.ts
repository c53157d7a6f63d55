import { vi } from 'vitest';

/** Waits until the check no longer throws. The bound is wide: machines that run tests may be busy. */
export function until<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 10 });
}
