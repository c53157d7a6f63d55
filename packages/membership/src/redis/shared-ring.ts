import { byId, type MemberEntry, type MemberState, memberEntry, sameEntry } from '../member.ts';
import { isRecord, memberMeta, memberOf, type RejectReason } from '../signed-member.ts';
import type { MemberSigner } from '../signer.ts';

/** A ring as it stands in Redis. */
export interface SharedRing {
  /** Rises when the registry's index fell. Two rings of one generation are told apart by the index. */
  readonly generation: bigint;
  /** The registry's own. */
  readonly index: bigint;
  /** All listed members, ordered by id. */
  readonly members: readonly MemberEntry[];
}

/** A {@link SharedRing} in writing. */
export interface SignedText {
  readonly text: string;
  readonly sig: string;
}

/** Why what stands in Redis is not believed. */
export interface Refusal {
  readonly reason: RejectReason;
  readonly detail: string;
}

const FORMAT = 1;
const MAX_CHARACTERS = 16 * 1024 * 1024;
const STATES: readonly string[] = ['up', 'leaving', 'critical'] satisfies MemberState[];

/**
 * Which of two rings is newer: above 0 when `a` is. At equal generation and index the one with fewer members in the ring
 * is, for only departures are ever held back.
 */
export function compareRings(a: SharedRing, b: SharedRing): number {
  if (a.generation !== b.generation) return a.generation > b.generation ? 1 : -1;
  if (a.index !== b.index) return a.index > b.index ? 1 : -1;
  return ringSize(b.members) - ringSize(a.members);
}

/** How many of the members are in the ring. */
export function ringSize(members: readonly MemberEntry[]): number {
  let size = 0;
  for (const { state } of members) if (state === 'up') size += 1;
  return size;
}

/** Whether two lists say the same of the same members. */
export function sameMembers(a: readonly MemberEntry[], b: readonly MemberEntry[]): boolean {
  return a.length === b.length && a.every((entry, i) => sameEntry(entry, b[i]!));
}

/**
 * Writes and signs it. Each member carries its own proof, as in Consul; the signature of the whole binds them, their
 * states, generation and index together, so that nobody without a key can leave one out or set the numbers ahead.
 */
export function writeRing(service: string, ring: SharedRing, signer: MemberSigner): SignedText {
  const members = ring.members.map((entry) => ({
    ...memberMeta(service, entry, signer),
    state: entry.state,
  }));
  const text = JSON.stringify({
    format: FORMAT,
    generation: ring.generation.toString(),
    index: ring.index.toString(),
    members,
  });
  return { text, sig: signer.sign(signedText(service, text)) };
}

/** Reads what anyone may have written. */
export function readRing(
  service: string,
  { text, sig }: SignedText,
  signer: MemberSigner,
): SharedRing | Refusal {
  if (sig === '') return { reason: 'unsigned', detail: 'the ring has no signature' };
  if (text.length > MAX_CHARACTERS) return { reason: 'malformed', detail: 'longer than any ring' };
  if (!signer.verify(signedText(service, text), sig)) {
    return { reason: 'bad_signature', detail: 'the ring was not signed by a key of this cluster' };
  }
  const body = parse(text);
  if (!isRecord(body) || body['format'] !== FORMAT) return malformed(`not a ring of format ${FORMAT}`);
  const generation = wholeNumber(body['generation']);
  const index = wholeNumber(body['index']);
  if (generation === undefined || index === undefined) return malformed('no generation or index');
  if (!Array.isArray(body['members'])) return malformed('no members');
  const members: MemberEntry[] = [];
  for (const record of body['members'] as unknown[]) {
    const found = memberOf(service, record, signer);
    if ('reason' in found) return found;
    const state = isRecord(record) ? record['state'] : undefined;
    if (!isState(state)) return malformed('a member without a state');
    members.push(memberEntry(found.member, state));
  }
  members.sort(byId);
  if (members.some(({ id }, i) => id === members[i - 1]?.id)) return malformed('a member twice');
  return Object.freeze({ generation, index, members: Object.freeze(members) });
}

function signedText(service: string, text: string): string {
  return `ringway-ring.v1\n${service}\n${text}`;
}

function malformed(detail: string): Refusal {
  return { reason: 'malformed', detail };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wholeNumber(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

function isState(value: unknown): value is MemberState {
  return typeof value === 'string' && STATES.includes(value);
}
