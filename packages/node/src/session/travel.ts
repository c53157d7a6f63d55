import type { Member } from '@ringway/membership';

/** How long a node that a ticket avoided gets no move, while the ring is the same. Milliseconds. */
const AVOID_MS = 600_000;
/** How long a session that came by a move stays where it is, in milliseconds: rings in quick succession settle by then. */
const REST_MS = 3_000;
/** The first wait after a move that failed, doubled each time up to the second. Milliseconds. */
const BACKOFF_MS = 5_000;
const MAX_BACKOFF_MS = 600_000;

/** What is remembered of one session's moves: whom it is wary of, and for how long. */
export class Travel {
  private avoided: readonly string[] = [];
  private avoidedUntil = 0;
  private restsUntil = Number.NEGATIVE_INFINITY;
  /** The start of the node that it was sent to last. */
  private target = '';
  private failedTarget = '';
  private failures = 0;
  private failedUntil = 0;

  /** The session has shown a ticket that avoided these nodes, or that a move had given it. */
  arrived(avoided: readonly string[], moved: boolean, now: number): void {
    if (avoided.length > 0) {
      this.avoided = avoided;
      this.avoidedUntil = now + AVOID_MS;
    }
    if (moved) this.restsUntil = now + REST_MS;
  }

  /** What was avoided in another ring counts no more. */
  ringChanged(): void {
    this.avoided = [];
  }

  /** Each is asked once more when the node leaves, whatever it has said before. */
  drains(): void {
    this.failures = 0;
    this.failedTarget = '';
  }

  sent(target: Member): void {
    this.target = startOf(target);
  }

  /** It did not get there: the same start of that node is tried less and less often. `random` in [0, 1). */
  failed(now: number, random: number): void {
    if (this.failedTarget !== this.target) this.failures = 0;
    this.failedTarget = this.target;
    const wait = Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** Math.min(this.failures++, 20));
    this.failedUntil = now + wait * (0.75 + random / 2);
  }

  /** Whether the session is not to be sent to that node now. */
  shuns(target: Member, now: number): boolean {
    if (this.avoided.includes(target.id) && now < this.avoidedUntil) return true;
    return this.failedTarget === startOf(target) && now < this.failedUntil;
  }

  /** Whether it has only just come. */
  rests(now: number): boolean {
    return now < this.restsUntil;
  }
}

function startOf({ id, incarnation }: Member): string {
  return `${id}/${incarnation}`;
}
