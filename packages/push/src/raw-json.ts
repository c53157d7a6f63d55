import { InvalidRequestError } from './errors.ts';

/** JSON text that is sent as it stands, to the last digit of a number beyond 2^53. Made by {@link rawJson}. */
export class RawJson {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }
}

/**
 * Marks a text as the JSON to send. A class of its own and not a plain `{ json }`, which could be an application's data.
 * @throws InvalidRequestError (`bad_request`) when the text is not JSON
 */
export function rawJson(json: string): RawJson {
  try {
    JSON.parse(json);
  } catch (cause) {
    throw new InvalidRequestError('bad_request', `rawJson: not a JSON text: ${String(cause)}`, { cause });
  }
  return new RawJson(json);
}

/** The JSON text of an application's data. */
export function dataText(data: unknown): string {
  if (data instanceof RawJson) return data.json;
  let text: string | undefined;
  try {
    text = JSON.stringify(data);
  } catch (cause) {
    throw new InvalidRequestError('bad_request', `data: cannot be written as JSON: ${String(cause)}`, {
      cause,
    });
  }
  if (text === undefined) {
    throw new InvalidRequestError('bad_request', `data: ${typeof data} has no JSON form; null has`);
  }
  return text;
}
