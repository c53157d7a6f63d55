import { createHmac } from 'node:crypto';
import { type Key, type KeyFamily, sameText } from './keys.ts';

// JWS compact serialisation (RFC 7515) with HS256 and nothing else. Our own and not a library's because every /route
// makes one of these and checks another: node:crypto's synchronous HMAC with prepared headers takes half the time of
// fast-jwt and a tenth of WebCrypto's promises. What is left to choose (algorithm, type) is fixed by the callers.

/** Why a compact token was not opened. */
export type OpenFailure = 'malformed' | 'algorithm' | 'type' | 'signature';

/** The claims, or why there are none. */
export type Opened =
  | { readonly ok: true; readonly claims: Record<string, unknown> }
  | { readonly ok: false; readonly reason: OpenFailure };

const MAX_TOKEN_LENGTH = 8192;

const headers = new WeakMap<Key, Map<string, string>>();

function headerFor(key: Key, typ: string): string {
  const byType = headers.get(key) ?? new Map<string, string>();
  headers.set(key, byType);
  let header = byType.get(typ);
  if (header === undefined) {
    header = base64url(JSON.stringify({ alg: 'HS256', typ, kid: key.kid }));
    byType.set(typ, header);
  }
  return header;
}

function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}

function signature(key: Key, input: string): string {
  return createHmac('sha256', key.secret).update(input).digest('base64url');
}

/** A token of the type, over claims that are already JSON, signed with the newest key. */
export function signCompact(family: KeyFamily, typ: string, claimsJson: string): string {
  const key = family.newest;
  const input = `${headerFor(key, typ)}.${base64url(claimsJson)}`;
  return `${input}.${signature(key, input)}`;
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
  if (!candidates.some((key) => sameText(signature(key, input), given)))
    return { ok: false, reason: 'signature' };
  const claims = parseObject(token.slice(first + 1, last));
  return claims ? { ok: true, claims } : { ok: false, reason: 'malformed' };
}

/** The keys that may have made a token with this header; our own headers are known by their text. */
function keysFor(family: KeyFamily, typ: string | undefined, header: string): readonly Key[] | OpenFailure {
  if (typ !== undefined) {
    const known = family.keys.filter((key) => headerFor(key, typ) === header);
    if (known.length > 0) return known;
  }
  const fields = parseObject(header);
  if (!fields) return 'malformed';
  if (fields['alg'] !== 'HS256' || fields['crit'] !== undefined || fields['b64'] !== undefined)
    return 'algorithm';
  if (typ !== undefined && fields['typ'] !== typ) return 'type';
  const { kid } = fields;
  if (kid === undefined) return family.keys;
  if (typeof kid !== 'string') return 'malformed';
  const named = family.keys.filter((key) => key.kid === kid);
  // Another issuer has its own way to name keys; ours are always named by their kid.
  return named.length > 0 || typ !== undefined ? named : family.keys;
}

function parseObject(segment: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
