import type { Session } from './session.ts';

/** The sessions of a node by user: most users have one. */
export class SessionsByUser {
  private readonly byUser = new Map<string, Session | Session[]>();

  add(session: Session): void {
    const { userId } = session;
    const known = this.byUser.get(userId);
    if (known === undefined) this.byUser.set(userId, session);
    else if (Array.isArray(known)) known.push(session);
    else this.byUser.set(userId, [known, session]);
  }

  remove(session: Session): void {
    const { userId } = session;
    const rest = this.of(userId).filter((other) => other !== session);
    if (rest.length === 0) this.byUser.delete(userId);
    else this.byUser.set(userId, rest.length === 1 ? (rest[0] as Session) : rest);
  }

  of(userId: string): readonly Session[] {
    const known = this.byUser.get(userId);
    if (known === undefined) return [];
    return Array.isArray(known) ? known : [known];
  }

  /** Users that have a session here. */
  users(): Iterable<string> {
    return this.byUser.keys();
  }

  *all(): Iterable<Session> {
    for (const known of this.byUser.values()) {
      if (Array.isArray(known)) yield* known;
      else yield known;
    }
  }
}
