/**
 * Frames as wire text, header included: one final frame each (RFC 6455, 5.2). Built as one string, what goes to a socket in
 * one turn of the event loop goes out in one write, without a Buffer for any of it.
 */

const TEXT = 0x81;
const BINARY = 0x82;
const MASKED = 0x80;
/** Takes nothing off: between nodes there is nothing that a script could steer (RFC 6455, 10.3). */
const NO_MASK = '\0\0\0\0';

/** A text frame of a server. */
export function textFrame(payload: string): string {
  return head(TEXT, payload.length, 0) + payload;
}

/** A binary frame of a server. */
export function binaryFrame(payload: string): string {
  return head(BINARY, payload.length, 0) + payload;
}

/** A binary frame of a client: masked, by zeros. */
export function maskedBinaryFrame(payload: string): string {
  return head(BINARY, payload.length, MASKED) + NO_MASK + payload;
}

function head(first: number, length: number, mask: number): string {
  if (length < 126) return String.fromCharCode(first, mask | length);
  if (length < 65_536) return String.fromCharCode(first, mask | 126, length >>> 8, length & 255);
  const high = Math.floor(length / 0x1_0000_0000);
  return String.fromCharCode(
    first,
    mask | 127,
    0,
    0,
    (high >>> 8) & 255,
    high & 255,
    (length >>> 24) & 255,
    (length >>> 16) & 255,
    (length >>> 8) & 255,
    length & 255,
  );
}
