// ECMAScript's JSON.parse source text access, which TypeScript's library does not know yet.
interface RawNumber {
  readonly rawJSON: string;
}
interface ExactJson {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
}
const exact = JSON as unknown as ExactJson;

/** The text is no event: `reason` for metrics, the message for people. */
export class BadEventError extends Error {
  override readonly name = 'BadEventError';
  readonly code = 'bad_event';
  readonly reason: 'not_utf8' | 'not_json';

  constructor(reason: 'not_utf8' | 'not_json', message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** An event: its text, and its value with every number as it was written. */
export interface Event {
  readonly text: string;
  readonly value: unknown;
}

/** @throws BadEventError */
export function parseEvent(body: Buffer): Event {
  let text: string;
  try {
    text = utf8.decode(body);
  } catch (cause) {
    throw new BadEventError('not_utf8', 'the message is not valid UTF-8', { cause });
  }
  try {
    const value = exact.parse(text, (_key, value, { source }) =>
      typeof value === 'number' && source !== undefined ? exact.rawJSON(source) : value,
    );
    return { text, value };
  } catch (cause) {
    throw new BadEventError('not_json', `the message is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** The number's digits as they stand in the event; undefined when the value is no number. */
export function numberText(value: unknown): string | undefined {
  return exact.isRawJSON(value) ? value.rawJSON : undefined;
}

/** What a value is called in messages. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (numberText(value) !== undefined) return 'a number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
