import type { Position } from '@ringway/protocol';
import { jsonFromWire, quote } from '../../text.ts';
import type { Item, Parcel } from './port.ts';

/** A parcel as it travels: wire text, every part behind its length, so that a script can put parts together. */

const KINDS: ReadonlySet<string> = new Set<Item['kind']>([
  'logged',
  'unlogged',
  'ephemeral',
  'behind',
  'kick',
]);

/** One part. */
export function part(text: string): string {
  return `${text.length}:${text}`;
}

/** The parts that a text is made of. @throws SyntaxError */
export function partsOf(text: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(':', at);
    const length = colon > at && colon - at < 12 ? Number(text.slice(at, colon)) : Number.NaN;
    const end = colon + 1 + length;
    if (!(end <= text.length)) throw new SyntaxError('a parcel is cut off');
    parts.push(text.slice(colon + 1, end));
    at = end;
  }
  return parts;
}

/** The message of a parcel. */
export function encodeMessage({ from, id, data }: Parcel['message']): string {
  return part(from) + part(id) + part(data);
}

export function encodeItem({ channel, kind, position, previous, banSeconds }: Item): string {
  if (kind === 'kick') return `["kick",${quote(channel)},${banSeconds ?? 0}]`;
  if (!position) return `["${kind}",${quote(channel)}]`;
  const { epoch, seq } = previous ?? position;
  return `["${kind}",${quote(channel)},${quote(position.epoch)},${position.seq},${quote(epoch)},${seq}]`;
}

export function encodeParcel({ message, items }: Parcel): string {
  return part(encodeMessage(message)) + items.map((item) => part(encodeItem(item))).join('');
}

/** What {@link encodeParcel}, or a script from the same parts, has made. @throws SyntaxError */
export function decodeParcel(text: string): Parcel {
  const [message = '', ...items] = partsOf(text);
  const [from = '', id = '', data = ''] = partsOf(message);
  return { message: { from, id, data }, items: items.map(decodeItem) };
}

function decodeItem(text: string): Item {
  const parts = jsonFromWire(text);
  if (!Array.isArray(parts)) throw new SyntaxError('an item is no list');
  const [kind, channel, third, seq, beforeEpoch, beforeSeq] = parts as unknown[];
  if (typeof channel !== 'string' || !isKind(kind)) throw new SyntaxError('an item of no known kind');
  if (kind === 'kick') return { kind, channel, banSeconds: Number(third) || 0 };
  if (third === undefined) return { kind, channel };
  return { kind, channel, position: positionOf(third, seq), previous: positionOf(beforeEpoch, beforeSeq) };
}

/** Those of a later version are passed over with their parcel: this one would not know what to do. */
function isKind(kind: unknown): kind is Item['kind'] {
  return typeof kind === 'string' && KINDS.has(kind);
}

function positionOf(epoch: unknown, seq: unknown): Position {
  if (typeof epoch !== 'string' || typeof seq !== 'number') throw new SyntaxError('an item with no position');
  return { epoch, seq };
}
