import { randomBytes } from 'node:crypto';

/**
 * Names one start of one node; the epoch of its memory log too, so it is short. Time first, for people; 48 random bits,
 * so that two starts never share a name.
 */
export function newIncarnation(now: number): string {
  return `${Math.floor(now / 1000).toString(36)}-${randomBytes(6).toString('hex')}`;
}
