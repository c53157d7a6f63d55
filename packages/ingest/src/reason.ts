/** What failed, and why, in a line: stacks of errors within errors would bury it. */
export function reasonOf(error: unknown): string {
  const texts: string[] = [];
  for (let at: unknown = error; at instanceof Error && texts.length < 5; ) {
    if (at.message !== '' && !texts.includes(at.message)) texts.push(at.message);
    at = at.cause ?? (at instanceof AggregateError ? at.errors.at(-1) : undefined);
  }
  if (texts.length > 0) return texts.join(': ');
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : String(error);
}
