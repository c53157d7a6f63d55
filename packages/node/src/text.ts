/**
 * Wire text: bytes of UTF-8 held one to a character (Latin-1), as they came off a socket and as they go onto one. Cutting
 * and joining such text costs no decoding, and a socket writes it with one copy. An application's `data` and built
 * frames are wire text; channel names, user ids and message ids elsewhere in the node are ordinary strings.
 */

function isPlain(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c > 0x7e || c === 0x22 || c === 0x5c) return false;
  }
  return true;
}

/** UTF-8 bytes, one to a character, of a string. */
export function toWire(text: string): string {
  return isPlain(text, 0, text.length) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** The string whose UTF-8 bytes these are. */
export function fromWire(wire: string): string {
  return isPlain(wire, 0, wire.length) ? wire : Buffer.from(wire, 'latin1').toString('utf8');
}

/** A string as JSON text on the wire, with its quotes. */
export function quote(text: string): string {
  return isPlain(text, 0, text.length)
    ? `"${text}"`
    : Buffer.from(JSON.stringify(text), 'utf8').toString('latin1');
}

/** A JSON string on the wire in the one way that {@link quote} writes it: escapes make no other text of it. */
export function requote(wire: string): string {
  return wire.includes('\\') ? quote(unquote(wire) as string) : wire;
}

/** The string that a JSON string on the wire stands for; undefined when the JSON text is not a string. */
export function unquote(wire: string): string | undefined {
  const last = wire.length - 1;
  if (wire.charCodeAt(0) !== 0x22) return undefined;
  if (isPlain(wire, 1, last)) return wire.slice(1, last);
  return JSON.parse(Buffer.from(wire, 'latin1').toString('utf8')) as string;
}

/** A value as JSON text on the wire. */
export function jsonToWire(value: unknown): string {
  return toWire(JSON.stringify(value));
}

/** The value of a JSON text on the wire. */
export function jsonFromWire(wire: string): unknown {
  return JSON.parse(fromWire(wire));
}
