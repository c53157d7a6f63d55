import { EmptyKeyError, keyPoint } from '@ringway/ring';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { murmur3 } from '../src/hash.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('murmur3', () => {
  test('has the verification value of SMHasher', () => {
    // The reference's own check (VerificationTest of SMHasher's KeysetTest.cpp) hashes 256 keys, then their hashes.
    const hashes = new DataView(new ArrayBuffer(1024));
    for (let i = 0; i < 256; i++) {
      const key = Uint8Array.from({ length: i }, (_, at) => at);
      hashes.setUint32(i * 4, murmur3(key, 256 - i), true);
    }
    expect(murmur3(new Uint8Array(hashes.buffer))).toBe(0xb0f57ee3);
  });

  test.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ])('of %j with seed %i', (text, seed, hash) => {
    expect(murmur3(utf8(text), seed)).toBe(hash);
  });
});

describe('keyPoint', () => {
  test.each(['ascii', 'binary', 'binary-ascii', 'grapheme'] as const)(
    'is the hash of the UTF-8: %s',
    (kind) => {
      const unit = kind === 'ascii' ? fc.constantFrom(...'abc:019-_') : kind;
      fc.assert(
        fc.property(fc.string({ unit, minLength: 1, maxLength: 40 }), (key) => {
          expect(keyPoint(key)).toBe(murmur3(utf8(key)));
        }),
      );
    },
  );

  test('takes lone surrogates for U+FFFD, as TextEncoder does', () => {
    const units = fc.array(fc.constantFrom(0x61, 0xe9, 0x5c71, 0xd83d, 0xdbff, 0xde00, 0xdfff, 0xfffd), {
      minLength: 1,
    });
    fc.assert(
      fc.property(units, (codes) => {
        const key = String.fromCharCode(...codes);
        expect(keyPoint(key)).toBe(murmur3(utf8(key)));
      }),
    );
    expect(keyPoint('\ud800')).toBe(keyPoint('\ufffd'));
  });

  test.each(['x', 'é', '山', '😀', 'ab😀é'])('takes a very long key of %s', (part) => {
    const key = part.repeat(300_001);
    expect(keyPoint(key)).toBe(murmur3(utf8(key)));
  });

  test('takes keys that are concatenations and slices inside the engine', () => {
    const text = 'group:class-7, and then some';
    const rope = ['user', 'alice'].join(':') + text.slice(0, 13);
    expect(keyPoint(rope)).toBe(murmur3(utf8('user:alicegroup:class-7')));
    expect(keyPoint(text.slice(6))).toBe(murmur3(utf8('class-7, and then some')));
  });

  test('refuses an empty key', () => {
    expect(() => keyPoint('')).toThrow(EmptyKeyError);
    expect(() => keyPoint('')).toThrow(RangeError);
    expect(() => keyPoint('')).toThrow(expect.objectContaining({ code: 'empty_key', name: 'EmptyKeyError' }));
  });
});
