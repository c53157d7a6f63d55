import { kindOf, numberText } from './event.ts';

/** A template is wrong, or does not fit an event: the message says where. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly code = 'bad_template';
}

/** A place in an event: names of members and indices of arrays, outermost first. */
export type Path = readonly string[];

/**
 * Reads a path: `customer.id`, `items.0.sku`; or a JSON Pointer (RFC 6901), for names with dots and braces:
 * `/a.b/c~1d`. @throws TemplateError
 */
export function parsePath(text: string): Path {
  const pointer = text.startsWith('/');
  const parts = pointer
    ? text
        .slice(1)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    : text.split('.');
  if (!pointer && parts.some((part) => part === '' || /[\s"]/.test(part))) {
    throw new TemplateError(
      `{${text}}: expected a path like {customer.id}, or a JSON Pointer like {/customer/id}`,
    );
  }
  return Object.freeze(parts);
}

/** The value at the path; undefined when there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || numberText(at) !== undefined) return undefined;
    if (Array.isArray(at) && !/^(0|[1-9]\d*)$/.test(name)) return undefined;
    if (!Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

/** A text with fields of the event in it. `{{` and `}}` stand for braces. */
export class Template {
  readonly text: string;
  /** Texts and, between them, paths. */
  readonly #parts: readonly (string | Path)[];

  /** @throws TemplateError */
  constructor(text: string) {
    this.text = text;
    const parts: (string | Path)[] = [];
    let plain = '';
    for (const [token] of text.matchAll(/\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+/g)) {
      if (token === '{' || token === '}') {
        throw new TemplateError(
          `${JSON.stringify(text)}: a brace without its other half; {{ and }} stand for braces`,
        );
      }
      if (token === '{{' || token === '}}') plain += token[0];
      else if (token.startsWith('{')) {
        parts.push(plain, parsePath(token.slice(1, -1)));
        plain = '';
      } else plain += token;
    }
    parts.push(plain);
    this.#parts = Object.freeze(parts);
  }

  /** The path, when the template is one field and nothing else. */
  get path(): Path | undefined {
    const [before, path, after] = this.#parts;
    return this.#parts.length === 3 && before === '' && after === '' && typeof path === 'object'
      ? path
      : undefined;
  }

  /** Whether no event can change it. */
  get constant(): boolean {
    return this.#parts.length === 1;
  }

  /** @throws TemplateError when a field is missing, or is neither a text nor a number */
  fill(event: unknown): string {
    let filled = '';
    for (const part of this.#parts) filled += typeof part === 'string' ? part : fieldText(event, part);
    return filled;
  }
}

function fieldText(event: unknown, path: Path): string {
  const value = valueAt(event, path);
  return scalarText(value, path.join('.'));
}

/** A text or number as it is put into a template. @throws TemplateError */
export function scalarText(value: unknown, where: string): string {
  const text = typeof value === 'string' ? value : numberText(value);
  if (text !== undefined && text !== '') return text;
  throw new TemplateError(
    `{${where}}: expected a text or a number, got ${text === '' ? 'an empty text' : kindOf(value)}`,
  );
}
