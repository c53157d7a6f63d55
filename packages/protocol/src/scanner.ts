/**
 * One pass over a JSON text (RFC 8259) that checks all of it and cuts out the raw text of each top-level member or
 * element. Nodes carry an application's `data` as it was written; parsing and writing it again would change numbers
 * beyond 2^53, so what is cut here is what is sent on.
 *
 * The text may be UTF-16, or bytes of UTF-8 read as Latin-1: JSON's own characters are ASCII, so both scan alike.
 */

/** Why a text was refused: `message` says what was wrong and what was expected, `at` is the offset in characters. */
export interface ScanFailure {
  readonly message: string;
  readonly at: number;
}

const MAX_FIELDS = 64;

/** Offsets that {@link RawFields} keeps of each member: begin and end of its name, begin and end of its value. */
const OFFSETS = 4;

/**
 * The members of one object, raw. An instance is filled by {@link scanFields} and can be used again: it keeps offsets, and
 * cuts out only what is asked for.
 */
export class RawFields {
  /** How many members there are. */
  count = 0;
  /** Some string of the text has a character beyond ASCII: as bytes of UTF-8 it is still to be checked. */
  beyondAscii = false;
  private text = '';
  private readonly offsets = new Int32Array(MAX_FIELDS * OFFSETS);
  /** Names that were written with escapes, by member. */
  private escaped: Map<number, string> | undefined;

  /** The raw JSON text of a member's value; undefined when the object has none of that name. */
  get(name: string): string | undefined {
    for (let i = 0; i < this.count; i++) if (this.isNamed(i, name)) return this.value(i);
    return undefined;
  }

  name(i: number): string {
    return this.escaped?.get(i) ?? this.text.slice(this.offsets[i * OFFSETS], this.offsets[i * OFFSETS + 1]);
  }

  value(i: number): string {
    return this.text.slice(this.offsets[i * OFFSETS + 2], this.offsets[i * OFFSETS + 3]);
  }

  /** For {@link scanFields}. */
  begin(text: string): void {
    this.text = text;
    this.count = 0;
    this.escaped = undefined;
  }

  /** For {@link scanFields}: false when a member of that name is there already, or there are too many. */
  add(nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): boolean {
    const { offsets, text, count } = this;
    let hasEscape = false;
    for (let i = nameAt; i < nameEnd; i++) if (text.charCodeAt(i) === BACKSLASH) hasEscape = true;
    const name = hasEscape ? (JSON.parse(text.slice(nameAt - 1, nameEnd + 1)) as string) : undefined;
    for (let k = 0; k < count; k++) {
      if (name !== undefined || this.escaped?.has(k)) {
        if (this.name(k) === (name ?? text.slice(nameAt, nameEnd))) return false;
      } else if (this.sameText(k, nameAt, nameEnd)) return false;
    }
    if (count === MAX_FIELDS) return false;
    const at = count * OFFSETS;
    offsets[at] = nameAt;
    offsets[at + 1] = nameEnd;
    offsets[at + 2] = valueAt;
    offsets[at + 3] = valueEnd;
    if (name !== undefined) {
      this.escaped ??= new Map();
      this.escaped.set(count, name);
    }
    this.count = count + 1;
    return true;
  }

  private isNamed(i: number, name: string): boolean {
    if (this.escaped?.has(i)) return this.escaped.get(i) === name;
    const from = this.offsets[i * OFFSETS] as number;
    const length = (this.offsets[i * OFFSETS + 1] as number) - from;
    if (length !== name.length) return false;
    for (let k = 0; k < length; k++) if (this.text.charCodeAt(from + k) !== name.charCodeAt(k)) return false;
    return true;
  }

  private sameText(i: number, from: number, to: number): boolean {
    const start = this.offsets[i * OFFSETS] as number;
    if ((this.offsets[i * OFFSETS + 1] as number) - start !== to - from) return false;
    for (let k = 0; k < to - from; k++) {
      if (this.text.charCodeAt(start + k) !== this.text.charCodeAt(from + k)) return false;
    }
    return true;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** `scan` functions return the offset behind what they read, or `-1 - offset` of the character that is wrong. */
function wrong(at: number): number {
  return -1 - at;
}

function skipSpace(text: string, from: number): number {
  let i = from;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) i++;
    else return i;
  }
}

function isHex(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);
}

/** All bits of all characters of the strings of the text that is being scanned. */
let bitsOfStrings = 0;

/** `from` is the offset behind the opening quote. */
function scanString(text: string, from: number): number {
  const end = text.length;
  let bits = 0;
  for (let i = from; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      bitsOfStrings |= bits;
      return i + 1;
    }
    bits |= c;
    if (c < 0x20) return wrong(i);
    if (c !== BACKSLASH) continue;
    switch (text.charCodeAt(++i)) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f: // /
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        break;
      case 0x75: // u
        for (let k = 0; k < 4; k++) if (!isHex(text.charCodeAt(++i))) return wrong(i);
        break;
      default:
        return wrong(i);
    }
  }
  return wrong(end);
}

function scanDigits(text: string, from: number): number {
  let i = from;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c >= 0x30 && c <= 0x39) i++;
    else return i;
  }
}

function scanNumber(text: string, from: number): number {
  let i = from;
  if (text.charCodeAt(i) === 0x2d) i++;
  const whole = i;
  i = scanDigits(text, i);
  if (i === whole || (text.charCodeAt(whole) === 0x30 && i > whole + 1))
    return wrong(i === whole ? i : whole + 1);
  if (text.charCodeAt(i) === 0x2e) {
    const fraction = i + 1;
    i = scanDigits(text, fraction);
    if (i === fraction) return wrong(i);
  }
  const e = text.charCodeAt(i);
  if (e === 0x65 || e === 0x45) {
    i++;
    const sign = text.charCodeAt(i);
    if (sign === 0x2b || sign === 0x2d) i++;
    const exponent = i;
    i = scanDigits(text, exponent);
    if (i === exponent) return wrong(i);
  }
  return i;
}

/** A string, number or literal; `from` is at its first character. */
function scanScalar(text: string, from: number): number {
  const c = text.charCodeAt(from);
  if (c === QUOTE) return scanString(text, from + 1);
  if (c === 0x2d || (c >= 0x30 && c <= 0x39)) return scanNumber(text, from);
  if (c === 0x74) return text.startsWith('true', from) ? from + 4 : wrong(from);
  if (c === 0x66) return text.startsWith('false', from) ? from + 5 : wrong(from);
  if (c === 0x6e) return text.startsWith('null', from) ? from + 4 : wrong(from);
  return wrong(from);
}

/** Any value; iterative, so that no depth of nesting can exhaust the stack. `from` is at its first character. */
function scanValue(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return scanScalar(text, from);
  const closers: number[] = [];
  let i = from;
  for (;;) {
    // here: at the first character of a value
    const c = text.charCodeAt(i);
    if (c === OPEN_BRACE) {
      i = skipSpace(text, i + 1);
      if (text.charCodeAt(i) !== CLOSE_BRACE) {
        closers.push(CLOSE_BRACE);
        i = scanName(text, i);
        if (i < 0) return i;
        continue;
      }
      i++;
    } else if (c === OPEN_BRACKET) {
      i = skipSpace(text, i + 1);
      if (text.charCodeAt(i) !== CLOSE_BRACKET) {
        closers.push(CLOSE_BRACKET);
        continue;
      }
      i++;
    } else {
      i = scanScalar(text, i);
      if (i < 0) return i;
    }
    // here: behind a value
    for (;;) {
      const closer = closers[closers.length - 1];
      if (closer === undefined) return i;
      i = skipSpace(text, i);
      const next = text.charCodeAt(i);
      if (next === closer) {
        closers.pop();
        i++;
        continue;
      }
      if (next !== COMMA) return wrong(i);
      i = skipSpace(text, i + 1);
      if (closer === CLOSE_BRACE) {
        i = scanName(text, i);
        if (i < 0) return i;
      }
      break;
    }
  }
}

/** A member's name and its colon; returns the offset of the first character of its value. */
function scanName(text: string, from: number): number {
  if (text.charCodeAt(from) !== QUOTE) return wrong(from);
  const behind = scanString(text, from + 1);
  if (behind < 0) return behind;
  const colon = skipSpace(text, behind);
  if (text.charCodeAt(colon) !== COLON) return wrong(colon);
  return skipSpace(text, colon + 1);
}

function failure(text: string, offset: number): ScanFailure {
  const at = -1 - offset;
  const found = at >= text.length ? 'the end of the text' : `character ${JSON.stringify(text.charAt(at))}`;
  return { message: `not valid JSON: ${found} at offset ${at} was not expected`, at };
}

/**
 * Scans a text that must be one JSON object and cuts out its members into `into`. Duplicate names are refused, since
 * two readers could otherwise see two different frames in one text.
 */
export function scanFields(text: string, into: RawFields): ScanFailure | undefined {
  bitsOfStrings = 0;
  into.begin(text);
  const failed = scanMembers(text, into);
  into.beyondAscii = bitsOfStrings > 0x7f;
  return failed;
}

function scanMembers(text: string, into: RawFields): ScanFailure | undefined {
  let i = skipSpace(text, 0);
  if (text.charCodeAt(i) !== OPEN_BRACE) return { message: 'expected a JSON object', at: i };
  i = skipSpace(text, i + 1);
  if (text.charCodeAt(i) === CLOSE_BRACE) i++;
  else {
    for (;;) {
      const nameAt = i + 1;
      const valueAt = scanName(text, i);
      if (valueAt < 0) return failure(text, valueAt);
      const end = scanValue(text, valueAt);
      if (end < 0) return failure(text, end);
      // between name and value stand only the quote, white space and the colon
      let nameEnd = valueAt - 1;
      while (text.charCodeAt(nameEnd) !== QUOTE) nameEnd--;
      if (!into.add(nameAt, nameEnd, valueAt, end)) return refused(text, into, nameAt, nameEnd);
      i = skipSpace(text, end);
      const c = text.charCodeAt(i);
      if (c === CLOSE_BRACE) {
        i++;
        break;
      }
      if (c !== COMMA) return failure(text, wrong(i));
      i = skipSpace(text, i + 1);
    }
  }
  i = skipSpace(text, i);
  return i < text.length ? failure(text, wrong(i)) : undefined;
}

function refused(text: string, { count }: RawFields, nameAt: number, nameEnd: number): ScanFailure {
  const at = nameAt - 1;
  if (count === MAX_FIELDS) return { message: `more than ${MAX_FIELDS} members in one object`, at };
  return { message: `the member ${text.slice(at, nameEnd + 1)} stands twice`, at };
}

/** Scans a text that must be one JSON array, of at most so many elements, and returns their raw text. */
export function scanArray(text: string, most = Number.POSITIVE_INFINITY): string[] | ScanFailure {
  const elements: string[] = [];
  let i = skipSpace(text, 0);
  if (text.charCodeAt(i) !== OPEN_BRACKET) return { message: 'expected a JSON array', at: i };
  i = skipSpace(text, i + 1);
  if (text.charCodeAt(i) === CLOSE_BRACKET) i++;
  else {
    for (;;) {
      const end = scanValue(text, i);
      if (end < 0) return failure(text, end);
      if (elements.length >= most) return { message: `more than ${most} elements in one array`, at: i };
      elements.push(text.slice(i, end));
      i = skipSpace(text, end);
      const c = text.charCodeAt(i);
      if (c === CLOSE_BRACKET) {
        i++;
        break;
      }
      if (c !== COMMA) return failure(text, wrong(i));
      i = skipSpace(text, i + 1);
    }
  }
  i = skipSpace(text, i);
  return i < text.length ? failure(text, wrong(i)) : elements;
}
