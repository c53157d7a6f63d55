import { NoNodesError, PushError } from './errors.ts';
import type { PushMember, PushRing, RingSource } from './port.ts';

/** How long a node that did not answer is passed over for its successor before it is asked again. */
const SUSPECT_MS = 2_000;

/** Which node to ask for a channel: its home by the ring, or the successor while the home does not answer. */
export class Homes {
  readonly #source: RingSource;
  readonly #suspects = new Map<string, number>();

  constructor(source: RingSource) {
    this.#source = source;
  }

  /** The ring, or why there is none. */
  ring(): PushRing | PushError {
    const ring = this.#source.current();
    if (ring !== undefined && ring.size > 0) return ring;
    const problem = this.#source.problem();
    if (problem instanceof PushError) return problem;
    return new NoNodesError(ring === undefined ? 'the ring has not been read yet' : 'the ring is empty', {
      cause: problem,
    });
  }

  /** The ring must have a member. */
  of(ring: PushRing, channel: string): PushMember {
    const owners = ring.owners(channel, 2);
    const member = owners.find(({ id }) => !this.#isSuspect(id)) ?? owners[0];
    if (member === undefined) throw new NoNodesError('the ring is empty', { to: channel });
    return member;
  }

  /** Passes over a node that did not answer, and has the ring read again. */
  suspect(nodeId: string): void {
    this.#suspects.set(nodeId, performance.now() + SUSPECT_MS);
    this.refresh();
  }

  /** Has the ring read again; nobody waits for it. */
  refresh(): void {
    void this.#source.refresh();
  }

  #isSuspect(nodeId: string): boolean {
    const until = this.#suspects.get(nodeId);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#suspects.delete(nodeId);
    return false;
  }
}
