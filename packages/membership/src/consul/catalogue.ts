import type { Seen } from '../decide.ts';
import type { MemberState } from '../member.ts';
import { isRecord, memberOf, type RejectReason } from '../signed-member.ts';
import type { MemberSigner } from '../signer.ts';

/** A registration that was kept out. */
export interface Rejection {
  readonly reason: RejectReason;
  /** Consul's service ID and node, as the stranger chose them, cut to 128 characters. */
  readonly serviceId: string;
  readonly node: string;
  readonly detail: string;
}

/** What a health answer says of the members. */
export interface Catalogue {
  readonly members: ReadonlyMap<string, Seen>;
  readonly rejected: readonly Rejection[];
}

/** Reads the body of `/v1/health/service/NAME`; undefined when it is no such thing at all. */
export function readCatalogue(service: string, body: unknown, signer: MemberSigner): Catalogue | undefined {
  if (!Array.isArray(body)) return undefined;
  const best = new Map<string, Ranked>();
  const rejected: Rejection[] = [];
  for (const entry of body as unknown[]) {
    const row = isRecord(entry) ? entry : {};
    const registered = isRecord(row['Service']) ? row['Service'] : {};
    const found = memberOf(service, registered['Meta'], signer);
    if ('reason' in found) {
      const node = isRecord(row['Node']) ? row['Node']['Node'] : undefined;
      rejected.push({ ...found, serviceId: label(registered['ID']), node: label(node) });
      continue;
    }
    const modified = registered['ModifyIndex'];
    const ranked = {
      seen: { member: found.member, state: stateOf(row['Checks']) },
      modified: typeof modified === 'number' ? modified : 0,
    };
    const other = best.get(found.member.id);
    if (other === undefined || outranks(ranked, other)) best.set(found.member.id, ranked);
  }
  const members = new Map<string, Seen>();
  for (const [id, { seen }] of best) members.set(id, seen);
  return { members, rejected };
}

interface Ranked {
  readonly seen: Seen;
  readonly modified: number;
}

const RANK: Readonly<Record<MemberState, number>> = { up: 2, leaving: 1, critical: 0 };

// The same node listed by two agents (it moved, or an agent died with it): the one that lives, else the later one. The
// indexes are the registry's, so that every watcher chooses alike.
function outranks(a: Ranked, b: Ranked): boolean {
  const byState = RANK[a.seen.state] - RANK[b.seen.state];
  return byState === 0 ? a.modified > b.modified : byState > 0;
}

function stateOf(checks: unknown): MemberState {
  let critical = false;
  for (const check of Array.isArray(checks) ? (checks as unknown[]) : []) {
    if (!isRecord(check) || check['Status'] !== 'critical') continue;
    critical = true;
    // Maintenance is a critical check of a reserved name, of the service or of its whole machine.
    const id = check['CheckID'];
    if (typeof id === 'string' && (id.startsWith('_service_maintenance') || id === '_node_maintenance')) {
      return 'leaving';
    }
  }
  return critical ? 'critical' : 'up';
}

function label(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 128) : '';
}
