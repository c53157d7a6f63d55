import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertDistinct, hmacSigner, KeyFamily, SettingsError } from '../src/index.ts';

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const C = 'c'.repeat(40);

describe('KeyFamily', () => {
  test('keeps the order, the newest first, and names keys by their hash', () => {
    const family = KeyFamily.parse('RINGWAY_TICKET_KEYS', `${A}, ${B}\n${C}`);
    expect(family.keys).toHaveLength(3);
    expect(family.newest).toBe(family.keys[0]);
    // printf %032d 0 | tr 0 a | sha256sum
    expect(family.newest.kid).toBe('3ba3f5f4');
    expect(inspect(family, { depth: 9 })).not.toContain(A);
  });

  test('base64: gives the bytes themselves', () => {
    const bytes = Buffer.from(A);
    const family = KeyFamily.parse('X', `base64:${bytes.toString('base64')}`);
    expect(family.newest.fingerprint).toBe(KeyFamily.parse('X', A).newest.fingerprint);
  });

  test.each([
    ['', 'at least one secret'],
    ['short', 'the 1st has 5'],
    [`${A},short`, 'the 2nd has 5'],
    [`${A},${B},${A}`, 'the 3rd repeats'],
    [`base64:${Buffer.from('short').toString('base64')}`, 'the 1st has 5'],
  ])('refuses %j', (text, expected) => {
    expect(() => KeyFamily.parse('RINGWAY_TICKET_KEYS', text)).toThrow(SettingsError);
    expect(() => KeyFamily.parse('RINGWAY_TICKET_KEYS', text)).toThrow(expected);
  });

  test('reads its file again and keeps its keys when the file has become bad', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringway-keys-'));
    try {
      const file = join(folder, 'keys');
      writeFileSync(file, A);
      const family = KeyFamily.fromFile('X', file);
      const before = family.keys;
      expect(family.reload()).toBe(false);
      expect(family.keys).toBe(before);
      writeFileSync(file, `${B} ${A}`);
      expect(family.reload()).toBe(true);
      expect(family.keys.map((key) => key.kid)).toEqual([KeyFamily.parse('X', B).newest.kid, before[0]?.kid]);
      const after = family.keys;
      writeFileSync(file, 'short');
      expect(() => family.reload()).toThrow(SettingsError);
      rmSync(file);
      expect(() => family.reload()).toThrow('X_FILE');
      expect(family.keys).toBe(after);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('takes the keys of another source', () => {
    const family = KeyFamily.parse('X', A);
    expect(family.reload()).toBe(false);
    expect(family.reload({ name: 'X', text: B })).toBe(true);
    expect(family.newest.fingerprint).toBe(KeyFamily.parse('X', B).newest.fingerprint);
  });
});

test('assertDistinct names the families that share a secret', () => {
  const tickets = KeyFamily.parse('RINGWAY_TICKET_KEYS', `${A},${B}`);
  const cluster = KeyFamily.parse('RINGWAY_CLUSTER_KEYS', `${C},${B}`);
  expect(() => assertDistinct([tickets, cluster])).toThrow(/RINGWAY_CLUSTER_KEYS.*RINGWAY_TICKET_KEYS/);
  expect(() => assertDistinct([tickets, KeyFamily.parse('Y', C)])).not.toThrow();
});

describe('hmacSigner', () => {
  const family = KeyFamily.parse('X', A);

  test('verifies what it signed, and nothing else', () => {
    const signer = hmacSigner(family);
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, other) => {
        const signature = signer.sign(text);
        expect(signature).toMatch(/^[0-9a-f]{8}\.[\w-]{43}$/);
        expect(signer.verify(text, signature)).toBe(true);
        if (other !== text) expect(signer.verify(other, signature)).toBe(false);
        expect(signer.verify(text, other)).toBe(false);
      }),
    );
  });

  test('any changed character is noticed', () => {
    const signer = hmacSigner(family);
    const signature = signer.sign('text');
    fc.assert(
      fc.property(
        fc.nat(signature.length - 1),
        fc.string({ minLength: 1, maxLength: 1 }),
        (at, character) => {
          const changed = signature.slice(0, at) + character + signature.slice(at + 1);
          expect(signer.verify('text', changed)).toBe(changed === signature);
        },
      ),
    );
  });

  test('a domain’s signature is worth nothing in another', () => {
    expect(hmacSigner(family, 'b').verify('text', hmacSigner(family, 'a').sign('text'))).toBe(false);
  });

  test('follows rotation: old keys verify, the newest signs, a dropped key is worth nothing', () => {
    const rotating = KeyFamily.parse('X', A);
    const signer = hmacSigner(rotating);
    const old = signer.sign('text');
    rotating.reload({ name: 'X', text: `${B},${A}` });
    expect(signer.verify('text', old)).toBe(true);
    expect(signer.sign('text').startsWith(rotating.newest.kid)).toBe(true);
    rotating.reload({ name: 'X', text: B });
    expect(signer.verify('text', old)).toBe(false);
  });
});
