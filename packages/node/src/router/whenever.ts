/**
 * Goes on with a value that may be at hand already: where it is, in this very turn, so that a message through the memory
 * log costs no promise.
 */
export function whenever<T>(
  value: T | Promise<T>,
  then: (value: T) => void,
  failed: (error: unknown) => void,
): void {
  if (value instanceof Promise) value.then(then, failed);
  else then(value);
}
