/** Why a `fetch` got no answer, in a few words: its own message says only that it failed. */
export function fetchFailure(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown };
  const told = cause ?? error;
  return told instanceof Error ? told.message || told.name : String(told);
}
