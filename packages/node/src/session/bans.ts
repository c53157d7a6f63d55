/** Most users kept out at a time. */
const MOST = 100_000;

/** Users whose sessions were ended and who may not come back yet. Times in milliseconds since the epoch. */
export class Bans {
  private readonly until = new Map<string, number>();

  add(userId: string, seconds: number, now: number): void {
    if (seconds === 0) return;
    if (this.until.size >= MOST)
      for (const [user, until] of this.until) if (until <= now) this.until.delete(user);
    if (this.until.size < MOST) this.until.set(userId, now + seconds * 1000);
  }

  has(userId: string, now: number): boolean {
    return (this.until.get(userId) ?? 0) > now;
  }
}
