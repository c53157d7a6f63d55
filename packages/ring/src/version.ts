import { pointCount, RING_FORMAT } from './points.ts';
import type { RingMember, RingVersion } from './ring.ts';
import { sha256Hex } from './sha256.ts';

const CHECKSUM_DIGITS = 16;

/**
 * The checksum of a ring: the first 16 hexadecimal digits of the SHA-256 of its canonical text, which is the line
 * `ringway-ring <format>`, then for each member, in order of the ids' UTF-8, the line `<length>:<id> <points>`, with the
 * id's length in bytes. Covers all that the points depend on, and nothing else.
 */
export function checksumOf(members: readonly RingMember[]): string {
  const lines = members.map(({ id, weight }) => `${utf8Length(id)}:${id} ${pointCount(weight)}\n`);
  const text = `ringway-ring ${RING_FORMAT}\n${lines.join('')}`;
  return sha256Hex(new TextEncoder().encode(text)).slice(0, CHECKSUM_DIGITS);
}

export function versionOf(members: readonly RingMember[], index: string): RingVersion {
  return Object.freeze({ index, checksum: checksumOf(members) });
}

function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A pair of surrogates is two units and four bytes, so each counts as one of two bytes.
    length += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return length;
}
