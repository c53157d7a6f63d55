import { jsonFromWire, quote } from '../../text.ts';
import type { Item, Parcel } from './port.ts';

/** A parcel as it travels: wire text, every part behind its length, so that a script can put parts together. */

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
  const [kind, channel, third, seq, beforeEpoch, beforeSeq] = jsonFromWire(text) as [
    Item['kind'],
    string,
    string | number | undefined,
    number,
    string,
    number,
  ];
  if (kind === 'kick') return { kind, channel, banSeconds: Number(third) };
  if (third === undefined) return { kind, channel };
  return {
    kind,
    channel,
    position: { epoch: String(third), seq },
    previous: { epoch: beforeEpoch, seq: beforeSeq },
  };
}
