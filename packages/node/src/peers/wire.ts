import type { ErrorCode, Position } from '@ringway/protocol';
import { fromWire, jsonFromWire, jsonToWire, toWire } from '../text.ts';
import { checkControl, isChannelList } from './check-control.ts';
import type { Control } from './control.ts';

export type { Control, ListOutcome, StandbyItem } from './control.ts';

/**
 * What nodes say to each other: batches of records, one batch a WebSocket message. All of a turn of the event loop goes
 * in one batch, so that at load the cost of a system call is shared by many messages.
 *
 * Batch: format (1 byte), length of the ring checksum (1 byte), the checksum, records. Record: length of what follows
 * (4 bytes, big-endian), kind (1 byte), and then as the kind says. The three kinds that every message pays for have fixed
 * headers; all others are one kind, `control`, and JSON.
 */
export const BATCH_FORMAT = 1;

/**
 * Longest batch that is taken of a peer, in bytes. Not made of this node's settings: what a peer may send follows from
 * its own, and a batch that is too long costs the link. Far above what a batch holds: half a page of a log, the longest
 * body, or the answer to the longest list.
 */
export const MAX_PEER_FRAME_BYTES = 64 * 1024 * 1024;

export const KIND = Object.freeze({ publish: 1, answer: 2, deliver: 3, control: 4, list: 5 });

const EPHEMERAL = 1;
const DEDUPE = 2;
const FORWARDED = 4;
const DUPLICATE = 8;
const PLACED = 16;
const AGAIN = 32;

/** A publication between nodes. `correlation` 0: no answer is wanted. */
export interface PublishRecord {
  readonly kind: typeof KIND.publish;
  readonly correlation: number;
  readonly ephemeral: boolean;
  readonly dedupe: boolean;
  /** It has been forwarded once already: whoever gets it now is its last chance. */
  readonly forwarded: boolean;
  /** It was forwarded to this node before and came back, and all that were behind it did: they follow in their order. */
  readonly again: boolean;
  readonly channel: string;
  readonly from: string;
  readonly id: string;
  readonly data: string;
}

/** One message for the users' channels of one home, the payload once. */
export interface ListRecord {
  readonly kind: typeof KIND.list;
  readonly correlation: number;
  readonly ephemeral: boolean;
  readonly dedupe: boolean;
  readonly channels: readonly string[];
  readonly from: string;
  readonly id: string;
  readonly data: string;
}

export interface AnswerRecord {
  readonly kind: typeof KIND.answer;
  readonly correlation: number;
  /** `not_home`: it had been forwarded once, and whoever has it is not the channel's home. Nothing was stored. */
  readonly code: ErrorCode | 'not_home' | undefined;
  readonly duplicate: boolean;
  readonly reached: number;
  readonly position: Position | undefined;
}

/** A message for a holder. `correlation` is not 0 where it answers a `read`. */
export interface DeliverRecord {
  readonly kind: typeof KIND.deliver;
  readonly correlation: number;
  readonly channel: string;
  readonly from: string;
  readonly id: string;
  readonly data: string;
  readonly position: Position | undefined;
  readonly previous: Position | undefined;
}

export interface ControlRecord {
  readonly kind: typeof KIND.control;
  readonly control: Control;
}

export type PeerRecord = PublishRecord | ListRecord | AnswerRecord | DeliverRecord | ControlRecord;

/** Codes of the answer, by their place: append only, nodes of two versions work together. */
const ANSWER_CODES: readonly AnswerRecord['code'][] = [
  undefined,
  'unavailable',
  'unknown',
  'id_conflict',
  'internal',
  'not_home',
];
const ANSWER_INTERNAL = 4;

function u16(n: number): string {
  return String.fromCharCode((n >>> 8) & 255, n & 255);
}

function u32(n: number): string {
  return String.fromCharCode((n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
}

/** A sequence number, up to 2^48. */
function u48(n: number): string {
  return u16(Math.floor(n / 0x1_0000_0000)) + u32(n % 0x1_0000_0000);
}

function position(at: Position | undefined): string {
  return at ? u16(at.epoch.length) + u48(at.seq) + at.epoch : u16(0);
}

export function batchHeader(checksum: string): string {
  return String.fromCharCode(BATCH_FORMAT, checksum.length) + checksum;
}

export function encodePublish(
  name: string,
  message: { readonly from: string; readonly id: string; readonly data: string; readonly ephemeral: boolean },
  dedupe: boolean,
  correlation: number,
  forwarded: boolean,
  again = false,
): string {
  const { from, id, data } = message;
  const channel = toWire(name);
  const flags =
    (message.ephemeral ? EPHEMERAL : 0) |
    (dedupe ? DEDUPE : 0) |
    (forwarded ? FORWARDED : 0) |
    (again ? AGAIN : 0);
  const length = 12 + channel.length + from.length + id.length + data.length;
  return (
    String.fromCharCode(
      (length >>> 24) & 255,
      (length >>> 16) & 255,
      (length >>> 8) & 255,
      length & 255,
      KIND.publish,
      flags,
      (correlation >>> 24) & 255,
      (correlation >>> 16) & 255,
      (correlation >>> 8) & 255,
      correlation & 255,
      channel.length >>> 8,
      channel.length & 255,
      from.length >>> 8,
      from.length & 255,
      id.length >>> 8,
      id.length & 255,
    ) +
    channel +
    from +
    id +
    data
  );
}

export function encodeList(
  channels: readonly string[],
  message: { readonly from: string; readonly id: string; readonly data: string; readonly ephemeral: boolean },
  dedupe: boolean,
  correlation: number,
): string {
  const { from, id, data } = message;
  const names = jsonToWire(channels);
  const flags = (message.ephemeral ? EPHEMERAL : 0) | (dedupe ? DEDUPE : 0);
  const head = u32(correlation) + u16(from.length) + u16(id.length) + u32(names.length);
  const length = 2 + head.length + from.length + id.length + names.length + data.length;
  return u32(length) + String.fromCharCode(KIND.list, flags) + head + from + id + names + data;
}

export function encodeAnswer(answer: Omit<AnswerRecord, 'kind'>): string {
  const code = ANSWER_CODES.indexOf(answer.code);
  const flags = answer.duplicate ? DUPLICATE : 0;
  const body = u32(answer.correlation) + u32(answer.reached) + position(answer.position);
  return (
    u32(3 + body.length) + String.fromCharCode(KIND.answer, flags, code < 0 ? ANSWER_INTERNAL : code) + body
  );
}

export function encodeDeliver(delivery: Omit<DeliverRecord, 'kind'>): string {
  const { from, id, data } = delivery;
  const channel = toWire(delivery.channel);
  const flags = delivery.position ? PLACED : 0;
  const head = u32(delivery.correlation) + u16(channel.length) + u16(from.length) + u16(id.length);
  const places = delivery.position ? position(delivery.position) + position(delivery.previous) : '';
  const length = 2 + head.length + places.length + channel.length + from.length + id.length + data.length;
  return u32(length) + String.fromCharCode(KIND.deliver, flags) + head + places + channel + from + id + data;
}

export function encodeControl(control: Control): string {
  const body = jsonToWire(control);
  return u32(1 + body.length) + String.fromCharCode(KIND.control) + body;
}

/** A batch or record that is not as described. The link that brought it is closed. */
export class PeerFormatError extends Error {
  override readonly name = 'PeerFormatError';
  readonly code = 'peer_format';
}

/** Cuts fields off a record, refusing to run over its end. */
class Cursor {
  private readonly bytes: Buffer;
  private readonly start: number;
  private readonly end: number;
  /** A copy of the record's own: what is cut from it and kept does not keep the whole batch. */
  private readonly text: string;
  private at: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.at = start;
    this.text = bytes.toString('latin1', start, end);
  }

  number(length: number): number {
    if (this.at + length > this.end) throw new PeerFormatError('a record ends within a number');
    let n = 0;
    for (let i = 0; i < length; i++) n = n * 256 + (this.bytes[this.at++] as number);
    return n;
  }

  take(length: number): string {
    const from = this.at - this.start;
    this.at += length;
    if (this.at > this.end) throw new PeerFormatError('a record ends within a field');
    return this.text.slice(from, from + length);
  }

  rest(): string {
    return this.text.slice(this.at - this.start);
  }

  position(): Position | undefined {
    const length = this.number(2);
    if (length === 0) return undefined;
    const seq = this.number(6);
    return { epoch: this.take(length), seq };
  }
}

function json(text: string): unknown {
  try {
    return jsonFromWire(text);
  } catch (cause) {
    throw new PeerFormatError('a record does not hold JSON where it should', { cause });
  }
}

function channelName(wire: string): string {
  if (wire === '') throw new PeerFormatError('a record names no channel');
  return fromWire(wire);
}

function channelList(value: unknown): readonly string[] {
  if (!isChannelList(value)) throw new PeerFormatError('a list does not hold channels');
  return value;
}

function decodeRecord(cursor: Cursor): PeerRecord | undefined {
  const kind = cursor.number(1);
  switch (kind) {
    case KIND.publish: {
      const flags = cursor.number(1);
      const correlation = cursor.number(4);
      const channelLength = cursor.number(2);
      const fromLength = cursor.number(2);
      const idLength = cursor.number(2);
      return {
        kind,
        correlation,
        ephemeral: (flags & EPHEMERAL) !== 0,
        dedupe: (flags & DEDUPE) !== 0,
        forwarded: (flags & FORWARDED) !== 0,
        again: (flags & AGAIN) !== 0,
        channel: channelName(cursor.take(channelLength)),
        from: cursor.take(fromLength),
        id: cursor.take(idLength),
        data: cursor.rest(),
      };
    }
    case KIND.answer: {
      const flags = cursor.number(1);
      const code = cursor.number(1);
      return {
        kind,
        duplicate: (flags & DUPLICATE) !== 0,
        code: code < ANSWER_CODES.length ? ANSWER_CODES[code] : 'internal',
        correlation: cursor.number(4),
        reached: cursor.number(4),
        position: cursor.position(),
      };
    }
    case KIND.deliver: {
      const flags = cursor.number(1);
      const correlation = cursor.number(4);
      const channelLength = cursor.number(2);
      const fromLength = cursor.number(2);
      const idLength = cursor.number(2);
      const placed = (flags & PLACED) !== 0;
      return {
        kind,
        correlation,
        position: placed ? cursor.position() : undefined,
        previous: placed ? cursor.position() : undefined,
        channel: channelName(cursor.take(channelLength)),
        from: cursor.take(fromLength),
        id: cursor.take(idLength),
        data: cursor.rest(),
      };
    }
    case KIND.list: {
      const flags = cursor.number(1);
      const correlation = cursor.number(4);
      const fromLength = cursor.number(2);
      const idLength = cursor.number(2);
      const namesLength = cursor.number(4);
      return {
        kind,
        correlation,
        ephemeral: (flags & EPHEMERAL) !== 0,
        dedupe: (flags & DEDUPE) !== 0,
        from: cursor.take(fromLength),
        id: cursor.take(idLength),
        channels: channelList(json(cursor.take(namesLength))),
        data: cursor.rest(),
      };
    }
    case KIND.control: {
      const control = checkControl(json(cursor.rest()));
      if (control === 'malformed') throw new PeerFormatError('a control is not as described');
      return control === 'unknown' ? undefined : { kind, control };
    }
    default:
      // a kind of a later version: not for us
      return undefined;
  }
}

/** What came in one WebSocket message from a peer. */
export interface Batch {
  readonly checksum: string;
  readonly records: readonly PeerRecord[];
}

/** @throws {PeerFormatError} when the bytes are not a batch. */
export function decodeBatch(bytes: Buffer): Batch {
  if (bytes.length < 2 || bytes[0] !== BATCH_FORMAT)
    throw new PeerFormatError(`not a batch of format ${BATCH_FORMAT}`);
  let at = 2 + (bytes[1] as number);
  if (at > bytes.length) throw new PeerFormatError('a batch ends within its checksum');
  const checksum = bytes.toString('latin1', 2, at);
  const records: PeerRecord[] = [];
  while (at < bytes.length) {
    if (at + 4 > bytes.length) throw new PeerFormatError('a batch ends within a length');
    const length = bytes.readUInt32BE(at);
    const end = at + 4 + length;
    if (length === 0 || end > bytes.length) throw new PeerFormatError('a batch ends within a record');
    const record = decodeRecord(new Cursor(bytes, at + 4, end));
    if (record) records.push(record);
    at = end;
  }
  return { checksum, records };
}
