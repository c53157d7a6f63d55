import { EmptyKeyError } from './errors.ts';

// MurmurHash3_x86_32 with seed 0 (Austin Appleby, public domain; SMHasher, MurmurHash3.cpp). See docs/ring.md.
const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const C3 = 0xe6546b64;
const REPLACEMENT = 0xfffd;

/** Hashes bytes to an unsigned 32-bit integer. */
export function murmur3(bytes: Uint8Array, seed = 0): number {
  const length = bytes.length;
  const whole = length & ~3;
  let hash = seed;
  let at = 0;
  for (; at < whole; at += 4) {
    const block = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash = mixBlock(hash, block);
  }
  let tail = 0;
  for (let i = length - 1; i >= whole; i--) tail = (tail << 8) | bytes[i]!;
  return finish(hash ^ scramble(tail), length);
}

/**
 * The point of a key on the ring: the hash of its UTF-8, an integer of 0..2^32-1.
 * A lone surrogate counts as U+FFFD, as TextEncoder has it.
 * @throws {EmptyKeyError} on an empty key
 */
export function keyPoint(key: string): number {
  const length = key.length;
  if (length === 0) throw new EmptyKeyError();
  // The way of nearly every key: read as ASCII four at a time, nothing allocated; find out at the end whether it was.
  const whole = length & ~3;
  let seen = 0;
  let hash = 0;
  let at = 0;
  for (; at < whole; at += 4) {
    const a = key.charCodeAt(at);
    const b = key.charCodeAt(at + 1);
    const c = key.charCodeAt(at + 2);
    const d = key.charCodeAt(at + 3);
    seen |= a | b | c | d;
    hash = mixBlock(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  if (at < length) {
    let tail = 0;
    for (let i = length - 1; i >= at; i--) {
      const code = key.charCodeAt(i);
      seen |= code;
      tail = (tail << 8) | code;
    }
    hash ^= scramble(tail);
  }
  return seen < 0x80 ? finish(hash, length) : hashUnicode(key);
}

/** The same for any string: UTF-8 is made on the way, so that a long key costs no memory. */
function hashUnicode(key: string): number {
  let hash = 0;
  let block = 0;
  let filled = 0; // bits of `block` in use
  let length = 0; // bytes so far
  for (let i = 0; i < key.length; i++) {
    let code = key.charCodeAt(i);
    if (code >= 0xd800 && code <= 0xdfff) {
      const low = key.charCodeAt(i + 1); // NaN at the end, which fails the comparison
      if (code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i++;
      } else {
        code = REPLACEMENT;
      }
    }
    const bits = code < 0x80 ? 8 : code < 0x800 ? 16 : code < 0x10000 ? 24 : 32;
    const bytes = utf8Word(code, bits);
    block |= bytes << filled;
    filled += bits;
    length += bits >>> 3;
    if (filled >= 32) {
      hash = mixBlock(hash, block);
      filled -= 32;
      block = filled === 0 ? 0 : bytes >>> (bits - filled);
    }
  }
  return finish(filled === 0 ? hash : hash ^ scramble(block), length);
}

/** The UTF-8 bytes of a code point, the first one lowest. */
function utf8Word(code: number, bits: number): number {
  if (bits === 8) return code;
  const last = 0x80 | (code & 0x3f);
  if (bits === 16) return 0xc0 | (code >>> 6) | (last << 8);
  const third = 0x80 | ((code >>> 6) & 0x3f);
  if (bits === 24) return 0xe0 | (code >>> 12) | (third << 8) | (last << 16);
  return 0xf0 | (code >>> 18) | ((0x80 | ((code >>> 12) & 0x3f)) << 8) | (third << 16) | (last << 24);
}

function scramble(block: number): number {
  const k = Math.imul(block, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

function mixBlock(hash: number, block: number): number {
  const h = hash ^ scramble(block);
  return (Math.imul((h << 13) | (h >>> 19), 5) + C3) | 0;
}

function finish(hash: number, length: number): number {
  let h = hash ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
