import { canonicalMember, type Member, memberProblem } from './member.ts';
import type { MemberSigner } from './signer.ts';

/** Why a registration is kept out of the members. */
export type RejectReason = 'malformed' | 'unsigned' | 'bad_signature';

/** A member with its proof as registries hold it (in Consul: the Meta of its registration): all text. */
export function memberMeta(service: string, member: Member, signer: MemberSigner): Record<string, string> {
  return {
    id: member.id,
    incarnation: member.incarnation,
    publicUrl: member.publicUrl,
    internalUrl: member.internalUrl,
    weight: String(member.weight),
    ringFormat: String(member.ringFormat),
    protocolMin: String(member.protocol.min),
    protocolMax: String(member.protocol.max),
    sig: signer.sign(canonicalMember(service, member)),
  };
}

/** The member that such a record proves, or why it is none. Takes anything. */
export function memberOf(
  service: string,
  meta: unknown,
  signer: MemberSigner,
): { member: Member } | { reason: RejectReason; detail: string } {
  const text = (name: string): string => {
    const value = isRecord(meta) ? meta[name] : undefined;
    return typeof value === 'string' ? value : '';
  };
  const sig = text('sig');
  if (sig === '') return { reason: 'unsigned', detail: 'Meta.sig is missing' };
  const member: Member = {
    id: text('id'),
    incarnation: text('incarnation'),
    publicUrl: text('publicUrl'),
    internalUrl: text('internalUrl'),
    weight: number(text('weight')),
    ringFormat: number(text('ringFormat')),
    protocol: { min: number(text('protocolMin')), max: number(text('protocolMax')) },
  };
  const problem = memberProblem(member);
  if (problem !== undefined) return { reason: 'malformed', detail: problem };
  if (!signer.verify(canonicalMember(service, member), sig)) {
    return { reason: 'bad_signature', detail: 'Meta.sig was not made by a key of this cluster' };
  }
  return { member };
}

function number(text: string): number {
  return /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
}

/** Whether something read is an object with fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
