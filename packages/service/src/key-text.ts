/** Shortest secret of a key family, in bytes. */
export const MIN_KEY_BYTES = 32;

/** Where a family's keys come from: a text, and the file that it was read from, which SIGHUP reads again. */
export interface KeySource {
  /** Name of the setting, for messages. */
  readonly name: string;
  readonly text: string;
  readonly file?: string;
}

/**
 * The secrets in a text, newest first, separated by commas or white space. A secret is the UTF-8 of what is written,
 * or, behind the prefix `base64:`, what that decodes to (for secrets that are not text or hold a comma).
 */
export function splitKeys(text: string): Buffer[] {
  return text
    .split(/[\s,]+/)
    .filter((item) => item !== '')
    .map((item) =>
      item.startsWith('base64:') ? Buffer.from(item.slice(7), 'base64') : Buffer.from(item, 'utf8'),
    );
}

/** What was expected, when the text holds no usable keys; never says what was there. */
export function keysProblem(text: string): string | undefined {
  const keys = splitKeys(text);
  if (keys.length === 0) return `at least one secret of at least ${MIN_KEY_BYTES} bytes`;
  for (const [i, key] of keys.entries()) {
    if (key.length < MIN_KEY_BYTES) {
      return `secrets of at least ${MIN_KEY_BYTES} bytes each, but the ${ordinal(i + 1)} has ${key.length}`;
    }
    if (keys.findIndex((other) => other.equals(key)) !== i)
      return `different secrets, but the ${ordinal(i + 1)} repeats another`;
  }
  return undefined;
}

function ordinal(n: number): string {
  const suffix = n % 100 >= 11 && n % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${suffix}`;
}
