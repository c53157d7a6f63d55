import { type Key, type KeyFamily, sameText } from './keys.ts';

// JWS compact serialisation (RFC 7515) with HS256 and nothing else. Our own and not a library's because every /route
// makes one of these and checks another: synchronous digests with prepared headers take half the time of fast-jwt and
// a tenth of WebCrypto's promises. What is left to choose (algorithm, type) is fixed by the callers.

/** Why a compact token was not opened. */
export type OpenFailure = 'malformed' | 'algorithm' | 'type' | 'signature';

/** The claims, or why there are none. */
export type Opened =
  | { readonly ok: true; readonly claims: Record<string, unknown> }
  | { readonly ok: false; readonly reason: OpenFailure };

const MAX_TOKEN_LENGTH = 8192;

// Both directions go through one piece of memory: a Buffer made for each would cost more than what is done with it.
const scratch = Buffer.allocUnsafeSlow(MAX_TOKEN_LENGTH);

function encode(text: string): string {
  // a UTF-16 unit takes at most three bytes of UTF-8
  if (text.length * 3 > scratch.length) return Buffer.from(text, 'utf8').toString('base64url');
  return scratch.toString('base64url', 0, scratch.write(text, 0, 'utf8'));
}

/** The JSON object that a segment of at most {@link MAX_TOKEN_LENGTH} characters holds. */
function decodeObject(segment: string): Record<string, unknown> | undefined {
  try {
    const length = scratch.write(segment, 0, 'base64url');
    const value: unknown = JSON.parse(scratch.toString('utf8', 0, length));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

const headers = new WeakMap<Key, Map<string, string>>();

function headerFor(key: Key, typ: string): string {
  const byType = headers.get(key) ?? new Map<string, string>();
  headers.set(key, byType);
  let header = byType.get(typ);
  if (header === undefined) {
    header = encode(JSON.stringify({ alg: 'HS256', typ, kid: key.kid }));
    byType.set(typ, header);
  }
  return header;
}

/** A token of the type, over claims that are already JSON, signed with the newest key. */
export function signCompact(family: KeyFamily, typ: string, claimsJson: string): string {
  const key = family.newest;
  const input = `${headerFor(key, typ)}.${encode(claimsJson)}`;
  return `${input}.${key.mac(input)}`;
}

/**
 * Checks form, algorithm, type and signature of a token, in this order, and gives its claims. Their meaning (times,
 * audience, issuer) is the caller's to check.
 *
 * @param typ what the header's `typ` must be; undefined takes any, also none, for tokens that others make.
 */
export function openCompact(family: KeyFamily, typ: string | undefined, token: string): Opened {
  if (token.length > MAX_TOKEN_LENGTH) return { ok: false, reason: 'malformed' };
  const first = token.indexOf('.');
  const last = token.lastIndexOf('.');
  if (first <= 0 || last === first || token.indexOf('.', first + 1) !== last)
    return { ok: false, reason: 'malformed' };
  const header = token.slice(0, first);
  const candidates = keysFor(family, typ, header);
  if (typeof candidates === 'string') return { ok: false, reason: candidates };
  const input = token.slice(0, last);
  const given = token.slice(last + 1);
  if (!candidates.some((key) => sameText(key.mac(input), given))) return { ok: false, reason: 'signature' };
  const claims = decodeObject(token.slice(first + 1, last));
  return claims ? { ok: true, claims } : { ok: false, reason: 'malformed' };
}

// Nearly all tokens of one maker have the same header, so what it says is worked out once. By the keys it was worked out
// for, which a reload replaces.
const known = new WeakMap<readonly Key[], Map<string, readonly Key[]>>();
const MAX_KNOWN_HEADERS = 64;

/** The keys that may have made a token with this header. */
function keysFor(family: KeyFamily, typ: string | undefined, header: string): readonly Key[] | OpenFailure {
  let byHeader = known.get(family.keys);
  if (!byHeader) {
    byHeader = new Map();
    known.set(family.keys, byHeader);
  }
  const name = typ === undefined ? header : `${typ} ${header}`;
  const cached = byHeader.get(name);
  if (cached) return cached;
  const keys = readHeader(family.keys, typ, header);
  if (typeof keys === 'string') return keys;
  // strangers choose their headers: they must not fill the memory
  if (byHeader.size >= MAX_KNOWN_HEADERS) byHeader.clear();
  byHeader.set(name, keys);
  return keys;
}

function readHeader(
  keys: readonly Key[],
  typ: string | undefined,
  header: string,
): readonly Key[] | OpenFailure {
  const fields = decodeObject(header);
  if (!fields) return 'malformed';
  if (fields['alg'] !== 'HS256' || fields['crit'] !== undefined || fields['b64'] !== undefined)
    return 'algorithm';
  if (typ !== undefined && fields['typ'] !== typ) return 'type';
  const { kid } = fields;
  if (kid === undefined) return keys;
  if (typeof kid !== 'string') return 'malformed';
  const named = keys.filter((key) => key.kid === kid);
  // Another issuer has its own way to name keys; ours are always named by their kid.
  return named.length > 0 || typ !== undefined ? named : keys;
}
