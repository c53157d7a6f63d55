import { hmacSigner, KeyFamily } from '@ringway/service';
import type { Member, MemberSigner, Snapshot } from '../../src/index.ts';

/** A member of this name; the parts given replace the usual ones. */
export function member(id: string, parts: Partial<Member> = {}): Member {
  return {
    id,
    incarnation: `${id}-start-1`,
    publicUrl: `wss://${id}.example.com/ws`,
    internalUrl: 'http://127.0.0.1:9101',
    weight: 1,
    ringFormat: 1,
    protocol: { min: 1, max: 1 },
    ...parts,
  };
}

/** The cluster's signer, made as a node makes it. */
export function clusterSigner(key = 'a key of the test cluster, 32 bytes or more'): MemberSigner {
  return hmacSigner(KeyFamily.parse('RINGWAY_CLUSTER_KEYS', key.replaceAll(' ', '-').replaceAll(',', '')));
}

/** `id:state` of each listed member. */
export function listed(snapshot: Snapshot | undefined): string[] {
  return (snapshot?.members ?? []).map(({ id, state }) => `${id}:${state}`);
}
