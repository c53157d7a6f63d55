import { MAX_WEIGHT } from '@ringway/ring';

/** A node as the membership knows it: what it says of itself, once for each start. Immutable. */
export interface Member {
  /** Name of the node, stable across restarts: 1 to 64 of `A-Z a-z 0-9 . _ -`, the first a letter or a digit. */
  readonly id: string;
  /** New at each start of the node, so that a ticket or a word for an earlier start is told apart. Same alphabet. */
  readonly incarnation: string;
  /** Where clients open their sockets: `wss://…` (or `ws://…`), at most 512 bytes. */
  readonly publicUrl: string;
  /** Where nodes and backends reach it: `http://…` or `https://…`, at most 512 bytes. */
  readonly internalUrl: string;
  /** Share of the ring relative to the others: above 0, at most 1000; 1 is usual. */
  readonly weight: number;
  /** Format of the ring that the node builds; members of an unknown format stay out of the ring. */
  readonly ringFormat: number;
  /** Protocol versions that the node speaks, both ends included. */
  readonly protocol: { readonly min: number; readonly max: number };
}

/**
 * `up`: in the ring. `leaving`: out of the ring by its own or an operator's word (maintenance), still listed.
 * `critical`: out of the ring because its health check has failed for long enough.
 */
export type MemberState = 'up' | 'leaving' | 'critical';

/** A member in a snapshot. Only `up` members are in the ring. */
export interface MemberEntry extends Member {
  readonly state: MemberState;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MAX_URL_BYTES = 512;

/** What is wrong with a member, as `field: expectation`; undefined when it is well formed. */
export function memberProblem(member: Member): string | undefined {
  if (!NAME.test(member.id)) return 'id: 1 to 64 of A-Z a-z 0-9 . _ - starting with a letter or digit';
  if (!NAME.test(member.incarnation))
    return 'incarnation: 1 to 64 of A-Z a-z 0-9 . _ - starting with a letter or digit';
  if (!isUrl(member.publicUrl, ['ws:', 'wss:'])) return 'publicUrl: a ws: or wss: URL of at most 512 bytes';
  if (!isUrl(member.internalUrl, ['http:', 'https:']))
    return 'internalUrl: an http: or https: URL of at most 512 bytes';
  if (!(member.weight > 0 && member.weight <= MAX_WEIGHT))
    return `weight: a number above 0, at most ${MAX_WEIGHT}`;
  if (!isVersion(member.ringFormat)) return 'ringFormat: a whole number from 1';
  const { min, max } = member.protocol;
  if (!isVersion(min) || !isVersion(max) || max < min)
    return 'protocol: whole numbers from 1, min not above max';
  return undefined;
}

/**
 * The text that a member's signature covers: every field, in one order, as a JSON array without spaces, after the name
 * of the service, so that what was signed for one cluster is worth nothing in another. Specified in docs/consul.md.
 */
export function canonicalMember(service: string, member: Member): string {
  return JSON.stringify([
    'ringway-member.v1',
    service,
    member.id,
    member.incarnation,
    member.publicUrl,
    member.internalUrl,
    String(member.weight),
    String(member.ringFormat),
    String(member.protocol.min),
    String(member.protocol.max),
  ]);
}

/** Whether two entries say the same, field by field. */
export function sameEntry(a: MemberEntry, b: MemberEntry): boolean {
  return a.state === b.state && sameMember(a, b);
}

/** Whether two members say the same of themselves. */
export function sameMember(a: Member, b: Member): boolean {
  return (
    a.id === b.id &&
    a.incarnation === b.incarnation &&
    a.publicUrl === b.publicUrl &&
    a.internalUrl === b.internalUrl &&
    a.weight === b.weight &&
    a.ringFormat === b.ringFormat &&
    a.protocol.min === b.protocol.min &&
    a.protocol.max === b.protocol.max
  );
}

/** A member as a snapshot shows it: known fields only, frozen. */
export function memberEntry(member: Member, state: MemberState): MemberEntry {
  return Object.freeze({
    id: member.id,
    incarnation: member.incarnation,
    publicUrl: member.publicUrl,
    internalUrl: member.internalUrl,
    weight: member.weight,
    ringFormat: member.ringFormat,
    protocol: Object.freeze({ min: member.protocol.min, max: member.protocol.max }),
    state,
  });
}

/** Order of members in a snapshot: by id, as UTF-16 code units, the same on every machine. */
export function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function isVersion(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  if (Buffer.byteLength(text) > MAX_URL_BYTES || !URL.canParse(text)) return false;
  return protocols.includes(new URL(text).protocol);
}
