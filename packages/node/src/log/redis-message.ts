import { createHash } from 'node:crypto';
import type { LogMessage } from './port.ts';

/** Ids up to so many characters are kept as they are, longer ones as their digest. */
const PLAIN_ID = 48;

/**
 * The first part of a channel's keys. Its hash tag is the channel's name, so that all of them are in one slot of a Redis
 * Cluster; what would end the tag early, or is no text, is escaped.
 */
export function channelBase(cluster: string, channel: string): string {
  return `${cluster}:log:{${/[%}\ud800-\udfff]/.test(channel) ? escapeName(channel) : channel}}`;
}

function escapeName(channel: string): string {
  const escaped = channel.replace(/[%}]/g, (c) => (c === '%' ? '%25' : '%7D'));
  return escaped.isWellFormed()
    ? escaped
    : // a half of a pair has no UTF-8: all such names would be one
      escaped.replace(/\p{Surrogate}/gu, (half) => `%u${half.charCodeAt(0).toString(16)}`);
}

/** What dedupe goes by; empty for a message of which no repeat can come. */
export function dedupeId({ from, id, dedupe }: LogMessage): string {
  if (!dedupe) return '';
  // both are JSON strings, and so begin with a quote and end where they end
  const key = from + id;
  if (key.length <= PLAIN_ID && isAscii(key)) return key;
  // nobody can make an id that is taken for another's
  return createHash('sha256').update(key, 'latin1').digest('base64url');
}

/** A message as a stream holds it, as wire text: lengths of the first two parts, then the three. */
export function packMessage({ from, id, data, dedupe }: LogMessage): string {
  return `${from.length},${id.length},${dedupe ? 1 : 0};${from}${id}${data}`;
}

/** What {@link packMessage} made. */
export function unpackMessage(packed: string): LogMessage {
  const head = packed.indexOf(';');
  const [fromLength = Number.NaN, idLength = Number.NaN, dedupe] = packed
    .slice(0, head)
    .split(',')
    .map(Number);
  const id = head + 1 + fromLength;
  const data = id + idLength;
  return {
    from: packed.slice(head + 1, id),
    id: packed.slice(id, data),
    data: packed.slice(data),
    dedupe: dedupe === 1,
  };
}

/** Wire text as an argument of a command, which would be written as UTF-8 otherwise. */
export function wireArgument(wire: string): string | Buffer {
  return isAscii(wire) ? wire : Buffer.from(wire, 'latin1');
}

function isAscii(text: string): boolean {
  return !/[^\x00-\x7f]/.test(text);
}
