import { createHmac } from 'node:crypto';
import type { TicketClaims } from '@ringway/protocol';
import fc from 'fast-check';
import { jwtVerify, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import {
  KeyFamily,
  mintClusterToken,
  mintTicket,
  openCompact,
  signCompact,
  TICKET_TYPE,
  ticketAudience,
  ticketExpiry,
  verifyClusterToken,
  verifyTicket,
} from '../src/index.ts';

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const NOW = 1_790_000_000_000;
const family = KeyFamily.parse('RINGWAY_TICKET_KEYS', A);
const expected = { now: NOW, issuer: 'ringway', audience: ticketAudience('node-2', 'i1') };

const claims: TicketClaims = {
  iss: 'ringway',
  sub: 'alice',
  aud: 'node-2/i1',
  exp: ticketExpiry(NOW),
  jti: 'j1',
  sexp: 1_790_003_600,
  ring: { index: '146', checksum: '9f' },
  cap: { publish: ['user:*'], join: [], presence: [] },
  via: 'avoid',
  avoid: ['node-1'],
};

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

function forge(header: object, payload: object, secret = A): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const header = { alg: 'HS256', typ: TICKET_TYPE, kid: family.newest.kid };

describe('tickets', () => {
  test('come back as they went in', () => {
    expect(verifyTicket(family, mintTicket(family, claims), expected)).toEqual({ ok: true, claims });
  });

  test('that would live longer than a ticket does are refused', () => {
    const until = (exp: number) => verifyTicket(family, mintTicket(family, { ...claims, exp }), expected);
    expect(until(ticketExpiry(NOW) + 5)).toMatchObject({ ok: true });
    expect(until(ticketExpiry(NOW) + 6)).toEqual({ ok: false, reason: 'lifetime' });
    expect(until(Number.MAX_VALUE)).toEqual({ ok: false, reason: 'lifetime' });
  });

  test('are JWTs that another library reads', async () => {
    const { payload, protectedHeader } = await jwtVerify(mintTicket(family, claims), Buffer.from(A), {
      algorithms: ['HS256'],
      typ: TICKET_TYPE,
      issuer: 'ringway',
      audience: 'node-2/i1',
      currentDate: new Date(NOW),
    });
    expect(payload).toEqual(claims);
    expect(protectedHeader).toEqual(header);
  });

  test('another library’s ticket is taken, whatever the order of its header', async () => {
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader({ typ: TICKET_TYPE, kid: family.newest.kid, alg: 'HS256' })
      .sign(Buffer.from(A));
    expect(verifyTicket(family, token, expected).ok).toBe(true);
  });

  test.each([
    ['no token', '', 'malformed'],
    ['two parts', 'a.b', 'malformed'],
    ['four parts', 'a.b.c.d', 'malformed'],
    ['no JSON', 'a.b.c', 'malformed'],
    ['alg none without signature', `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`, 'algorithm'],
    ['alg none with our signature', forge({ ...header, alg: 'none' }, claims), 'algorithm'],
    ['another algorithm', forge({ ...header, alg: 'HS512' }, claims), 'algorithm'],
    ['a critical extension', forge({ ...header, crit: ['b64'], b64: false }, claims), 'algorithm'],
    ['another type', forge({ ...header, typ: 'ringway-cluster+jwt' }, claims), 'type'],
    ['no type', forge({ alg: 'HS256', kid: family.newest.kid }, claims), 'type'],
    ['another key', forge(header, claims, B), 'signature'],
    ['a key that we do not have', mintTicket(KeyFamily.parse('X', B), claims), 'signature'],
    ['a signature that is missing', mintTicket(family, claims).replace(/[^.]+$/, ''), 'signature'],
    ['claims that are missing', forge(header, { ...claims, ring: undefined }), 'malformed'],
    ['a cap that is none', forge(header, { ...claims, cap: { publish: 'x' } }), 'malformed'],
    ['a cap that is null', forge(header, { ...claims, cap: null }), 'malformed'],
    ['a user that is none', forge(header, { ...claims, sub: '' }), 'malformed'],
    ['no expiry', forge(header, { ...claims, exp: undefined }), 'malformed'],
    ['another issuer', forge(header, { ...claims, iss: 'staging' }), 'issuer'],
    ['another node', forge(header, { ...claims, aud: 'node-3/i1' }), 'audience'],
    ['an earlier start of the node', forge(header, { ...claims, aud: 'node-2/i0' }), 'audience'],
  ])('with %s are refused', (_what, token, reason) => {
    expect(verifyTicket(family, token, expected)).toEqual({ ok: false, reason });
  });

  test('live 30 s and are taken for 5 s more', () => {
    const token = mintTicket(family, claims);
    const at = (now: number) => verifyTicket(family, token, { ...expected, now });
    expect(at(NOW + 34_999).ok).toBe(true);
    expect(at(NOW + 35_000)).toEqual({ ok: false, reason: 'expired' });
  });

  test('no character can be changed', () => {
    const token = mintTicket(family, claims);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        expect(verifyTicket(family, changed, expected).ok).toBe(changed === token);
      }),
      { numRuns: 500 },
    );
  });

  test('nothing that one can send throws', () => {
    const part = fc.oneof(fc.string(), fc.jsonValue().map(encode));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part).map((parts) => parts.join('.')),
        ),
        (token) => {
          expect(verifyTicket(family, token, expected).ok).toBe(false);
        },
      ),
    );
  });

  test('follow rotation', () => {
    const rotating = KeyFamily.parse('X', A);
    const old = mintTicket(rotating, claims);
    rotating.reload({ name: 'X', text: `${B},${A}` });
    const young = mintTicket(rotating, claims);
    expect(young).not.toBe(old);
    expect(verifyTicket(rotating, old, expected).ok).toBe(true);
    expect(verifyTicket(rotating, young, expected).ok).toBe(true);
    rotating.reload({ name: 'X', text: B });
    expect(verifyTicket(rotating, old, expected)).toEqual({ ok: false, reason: 'signature' });
  });
});

describe('cluster tokens', () => {
  const cluster = KeyFamily.parse('RINGWAY_CLUSTER_KEYS', B);
  const options = {
    iss: 'ringway',
    sub: 'node-1',
    aud: 'node-2',
    scope: 'peer',
    ttlSeconds: 60,
    now: NOW,
  } as const;
  const want = { now: NOW, issuer: 'ringway', audience: 'node-2' };

  test('come back as they went in, for their scope', () => {
    const token = mintClusterToken(cluster, options);
    const { ttlSeconds, now, ...rest } = options;
    expect(verifyClusterToken(cluster, token, { ...want, scopes: ['peer'] })).toEqual({
      ok: true,
      claims: { ...rest, exp: now / 1000 + ttlSeconds },
    });
    expect(verifyClusterToken(cluster, token, { ...want, scopes: ['push', 'admin'] })).toEqual({
      ok: false,
      reason: 'scope',
    });
    expect(verifyClusterToken(cluster, token, { ...want, audience: 'node-3' })).toEqual({
      ok: false,
      reason: 'audience',
    });
    expect(verifyClusterToken(cluster, token, { ...want, now: NOW + 65_000 })).toEqual({
      ok: false,
      reason: 'expired',
    });
  });

  test('are no tickets, and tickets are none of them', () => {
    expect(verifyTicket(cluster, mintClusterToken(cluster, options), expected)).toEqual({
      ok: false,
      reason: 'type',
    });
    expect(verifyClusterToken(family, mintTicket(family, claims), want)).toEqual({
      ok: false,
      reason: 'type',
    });
  });
});

describe('tokens of others', () => {
  test('are opened with any type and any name of the key', async () => {
    for (const extra of [{}, { typ: 'JWT' }, { kid: 'theirs' }, { kid: family.newest.kid }]) {
      const token = await new SignJWT({ sub: 'alice' })
        .setProtectedHeader({ alg: 'HS256', ...extra })
        .sign(Buffer.from(A));
      expect(openCompact(family, undefined, token)).toEqual({ ok: true, claims: { sub: 'alice' } });
    }
    expect(openCompact(family, undefined, signCompact(KeyFamily.parse('X', B), 'JWT', '{}'))).toEqual({
      ok: false,
      reason: 'signature',
    });
  });

  test('are opened with each of several keys', () => {
    const both = KeyFamily.parse('X', `${B},${A}`);
    expect(openCompact(both, undefined, forge({ alg: 'HS256' }, {}, A)).ok).toBe(true);
    expect(openCompact(both, undefined, forge({ alg: 'HS256' }, {}, B)).ok).toBe(true);
  });
});
