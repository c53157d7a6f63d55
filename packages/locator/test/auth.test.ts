import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KeyFamily, readSettings } from '@ringway/service';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  AuthUnavailableError,
  authFromSettings,
  type Caller,
  hs256Authenticate,
  InvalidUserIdError,
  jwksAuthenticate,
  locatorSettings,
  UnauthenticatedError,
} from '../src/index.ts';
import {
  ANY_CLAIMS,
  AUTH_KEYS,
  authKeys,
  bearer,
  CLUSTER_KEYS,
  callerToken,
  TICKET_KEYS,
} from './support.ts';

const NOW = 1_790_000_000_000;
const SECONDS = NOW / 1000;
const NO_CAP = { publish: [], join: [], presence: [] };

const request = (token: string) => ({ ...bearer(token), userId: undefined });

describe('HS256', () => {
  const rules = { ...ANY_CLAIMS, issuer: 'https://login', audience: 'chat' };
  const authenticate = hs256Authenticate(authKeys(), rules, () => NOW);
  const ok = { sub: 'alice', iss: 'https://login', aud: 'chat', exp: SECONDS + 60 };

  test('knows the caller without a promise', () => {
    expect(authenticate(request(callerToken(ok)))).toEqual({
      userId: 'alice',
      cap: NO_CAP,
      exp: SECONDS + 60,
    });
    expect(authenticate(request(callerToken({ ...ok, aud: ['x', 'chat'], exp: undefined })))).toEqual({
      userId: 'alice',
      cap: NO_CAP,
    });
  });

  test('takes the claims that the settings name', () => {
    const named = hs256Authenticate(
      authKeys(),
      { ...ANY_CLAIMS, userClaim: 'uid', capClaim: 'https://x/cap' },
      () => NOW,
    );
    expect(named(request(callerToken({ uid: 'bob', 'https://x/cap': { publish: ['user:*'] } })))).toEqual({
      userId: 'bob',
      cap: { ...NO_CAP, publish: ['user:*'] },
    });
  });

  test('is lenient by 5 s, both ways', () => {
    expect(() => authenticate(request(callerToken({ ...ok, exp: SECONDS - 4 })))).not.toThrow();
    expect(() => authenticate(request(callerToken({ ...ok, exp: SECONDS - 5 })))).toThrow('expired');
    expect(() => authenticate(request(callerToken({ ...ok, nbf: SECONDS + 5 })))).not.toThrow();
    expect(() => authenticate(request(callerToken({ ...ok, nbf: SECONDS + 6 })))).toThrow('not valid yet');
  });

  test.each([
    ['another issuer', { ...ok, iss: 'x' }],
    ['no issuer', { ...ok, iss: undefined }],
    ['another audience', { ...ok, aud: 'x' }],
    ['other audiences', { ...ok, aud: ['x', 'y'] }],
    ['no audience', { ...ok, aud: undefined }],
    ['a text as exp', { ...ok, exp: 'tomorrow' }],
    ['a text as nbf', { ...ok, nbf: 'yesterday' }],
    ['a cap that is none', { ...ok, cap: ['user:*'] }],
    ['a cap with a star inside', { ...ok, cap: { publish: ['us*er'] } }],
    ['too many rights', { ...ok, cap: { join: new Array(65).fill('a') } }],
  ])('refuses %s', (_what, claims) => {
    expect(() => authenticate(request(callerToken(claims)))).toThrow(UnauthenticatedError);
  });

  test('refuses another key, and a user id that is none', () => {
    const forged = callerToken(ok, KeyFamily.parse('X', 'z'.repeat(32)));
    expect(() => authenticate(request(forged))).toThrow('signature');
    expect(() => authenticate(request(callerToken({ ...ok, sub: '' })))).toThrow(InvalidUserIdError);
  });

  test('never puts the token into what it says', () => {
    const token = callerToken({ ...ok, iss: 'x' });
    try {
      void authenticate(request(token));
    } catch (error) {
      expect(String(error)).not.toContain(token);
    }
  });
});

describe('JWKS', () => {
  const pair = (kid: string) => ({ kid, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) });
  const first = pair('one');
  const second = pair('two');
  let server: Server;
  let url: string;
  let served: { kid: string; publicKey: KeyObject }[] = [];
  let up = true;
  let reads = 0;

  beforeAll(async () => {
    server = createServer((_incoming, outgoing) => {
      reads++;
      void Promise.all(
        served.map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg: 'ES256' })),
      ).then((keys) => (up ? outgoing.end(JSON.stringify({ keys })) : outgoing.writeHead(500).end()));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    served = [first];
    up = true;
    reads = 0;
  });

  const sign = (key: { kid: string; privateKey: KeyObject }, claims: Record<string, unknown> = {}) =>
    new SignJWT({ sub: 'alice', exp: SECONDS + 60, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: key.kid })
      .sign(key.privateKey);
  const adapter = (more = {}) =>
    jwksAuthenticate({ ...ANY_CLAIMS, url, algorithms: ['ES256'], now: () => NOW, ...more }) as (
      asked: ReturnType<typeof request>,
    ) => Promise<Caller>;

  test('knows callers by a key of the set, which it reads once', async () => {
    const authenticate = adapter();
    const cap = { publish: ['group:*'] };
    expect(await authenticate(request(await sign(first, { cap })))).toEqual({
      userId: 'alice',
      cap: { ...NO_CAP, ...cap },
      exp: SECONDS + 60,
    });
    await authenticate(request(await sign(first)));
    expect(reads).toBe(1);
  });

  test('refuses unknown keys, other algorithms, other issuers, the expired', async () => {
    const authenticate = adapter({ issuer: 'https://login' });
    const good = { iss: 'https://login' };
    const refused = async (token: string, why: string) => {
      await expect(authenticate(request(token))).rejects.toThrow(UnauthenticatedError);
      await expect(authenticate(request(token))).rejects.toThrow(why);
    };
    await expect(authenticate(request(await sign(first, good)))).resolves.toBeDefined();
    await refused(await sign(second, good), 'unknown key');
    await refused(await sign({ ...second, kid: 'one' }, good), 'signature');
    await refused(await sign(first), 'iss');
    await refused(await sign(first, { ...good, exp: SECONDS - 5 }), 'expired');
    await refused('a.b.c', 'malformed');
    // the classic: the public key as an HMAC secret
    const pem = first.publicKey.export({ type: 'spki', format: 'pem' });
    const confused = await new SignJWT({ sub: 'alice', ...good })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(Buffer.from(pem));
    await refused(confused, 'algorithm');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"alice"}').toString('base64url')}.`;
    await expect(authenticate(request(none))).rejects.toThrow(UnauthenticatedError);
  });

  test('says that it cannot tell while the set has never been read', async () => {
    up = false;
    const authenticate = adapter();
    await expect(authenticate(request(await sign(first)))).rejects.toThrow(AuthUnavailableError);
    up = true;
    await expect(authenticate(request(await sign(first)))).resolves.toMatchObject({ userId: 'alice' });
  });
});

describe('authFromSettings', () => {
  const base = { RINGWAY_TICKET_KEYS: TICKET_KEYS, RINGWAY_CLUSTER_KEYS: CLUSTER_KEYS };
  const choose = (env: Record<string, string>) =>
    authFromSettings(readSettings(locatorSettings, { ...base, ...env }));

  test('takes exactly one way', () => {
    expect(choose({ RINGWAY_AUTH_KEYS: AUTH_KEYS }).keys?.name).toBe('RINGWAY_AUTH_KEYS');
    expect(choose({ RINGWAY_AUTH_JWKS_URL: 'https://login/jwks' }).keys).toBeUndefined();
    expect(choose({ RINGWAY_INSECURE: '1' }).authenticate({ headers: {}, userId: 'alice' })).toEqual({
      userId: 'alice',
      cap: NO_CAP,
    });
    expect(() => choose({})).toThrow('exactly one of');
    expect(() => choose({ RINGWAY_AUTH_KEYS: AUTH_KEYS, RINGWAY_INSECURE: '1' })).toThrow('exactly one of');
  });

  test('never a symmetric algorithm with a public key set, and no plain http', () => {
    const jwks = { RINGWAY_AUTH_JWKS_URL: 'https://login/jwks' };
    expect(() => choose({ ...jwks, RINGWAY_AUTH_ALGORITHMS: 'HS256' })).toThrow('some of RS256');
    expect(() => choose({ ...jwks, RINGWAY_AUTH_ALGORITHMS: 'none' })).toThrow('some of RS256');
    expect(() => choose({ RINGWAY_AUTH_JWKS_URL: 'http://login/jwks' })).toThrow('an https URL');
  });
});
