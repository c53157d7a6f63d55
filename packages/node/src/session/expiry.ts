import type { Session } from './session.ts';

/** So many seconds are stepped through one by one; beyond that the clock was set, and what is due is looked for. */
const STEPS = 3_600;

/** Sessions by the second at which something is due, so that a right that ends in an hour costs no timer of its own. */
export class Expiry {
  private readonly due = new Map<number, Set<Session>>();
  private next: number;

  /** `now` in seconds since the epoch. */
  constructor(now: number) {
    this.next = Math.floor(now);
  }

  /** The session is due at this second, and no longer at another. */
  set(session: Session, second: number): void {
    this.remove(session);
    const at = Math.max(Math.floor(second), this.next);
    session.dueAt = at;
    const sessions = this.due.get(at);
    if (sessions) sessions.add(session);
    else this.due.set(at, new Set([session]));
  }

  remove(session: Session): void {
    const sessions = this.due.get(session.dueAt);
    if (sessions?.delete(session) && sessions.size === 0) this.due.delete(session.dueAt);
    session.dueAt = 0;
  }

  /** Every session that is due by now; it has to be set again to be due again. */
  take(now: number): Session[] {
    const taken: Session[] = [];
    const take = (at: number): void => {
      for (const session of this.due.get(at) ?? []) taken.push(session);
      this.due.delete(at);
    };
    // the clock was set back: what becomes due from here on must not wait until it is where it was
    if (now < this.next - 1) this.next = Math.floor(now);
    if (now - this.next > STEPS) {
      for (const at of [...this.due.keys()]) if (at <= now) take(at);
      this.next = Math.floor(now);
    }
    for (; this.next <= now; this.next++) take(this.next);
    for (const session of taken) session.dueAt = 0;
    return taken;
  }
}
