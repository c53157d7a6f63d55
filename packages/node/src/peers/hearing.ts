/** What {@link Hearing} needs to know at construction. */
export interface HearingOptions {
  readonly selfId: string;
  /** How long a member that was never heard is given before its silence counts, in milliseconds: the link timeout. */
  readonly graceMs: number;
  /** Whether a member has told that it sees the ring that this node sees. */
  readonly agrees: (id: string) => boolean;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

interface Ear {
  readonly since: number;
  hears: boolean;
  everHeard: boolean;
  /** Whom this member does not hear, by its own last word; undefined until it has spoken. */
  unheard: ReadonlySet<string> | undefined;
}

/**
 * Who hears whom. A member is *down* when neither I nor anyone I hear hears it (rule 1): one broken link is not a dead
 * node, and a node is dead before the registry has noticed.
 *
 * Pure state; links tell it what they hear, heartbeats what others say.
 */
export class Hearing {
  private readonly options: HearingOptions;
  private readonly ears = new Map<string, Ear>();
  /** `<id>/<incarnation>` of each, to tell a new start from the one before. */
  private readonly starts = new Map<string, string>();
  private downs: ReadonlySet<string> = new Set();
  private half = true;
  /** Since when half of the ring is heard, as of the last {@link settle}. */
  private halfSince = Number.NEGATIVE_INFINITY;
  private accepted = true;
  private reunited = false;

  constructor(options: HearingOptions) {
    this.options = options;
  }

  /** The ring's members, this node included or not. Who is new, by id or by start, has a grace period to be heard. */
  setMembers(members: Iterable<{ readonly id: string; readonly incarnation: string }>): void {
    const keep = new Set<string>();
    for (const { id, incarnation } of members) {
      if (id === this.options.selfId) continue;
      const key = `${id}/${incarnation}`;
      keep.add(id);
      const known = this.ears.get(id);
      if (known && this.starts.get(id) === key) continue;
      this.starts.set(id, key);
      this.ears.set(id, { since: this.options.now(), hears: false, everHeard: false, unheard: undefined });
    }
    for (const id of this.ears.keys()) {
      if (keep.has(id)) continue;
      this.ears.delete(id);
      this.starts.delete(id);
    }
  }

  /** A link to the member came up or went silent. */
  heard(id: string, hears: boolean): void {
    const ear = this.ears.get(id);
    if (!ear) return;
    if (hears && !ear.hears && ear.everHeard && this.parted) this.reunited = true;
    ear.hears = hears;
    if (hears) ear.everHeard = true;
    else ear.unheard = undefined;
  }

  /** A member's word on whom it does not hear. Counts while it is heard itself. @returns whether it says anything new. */
  reported(id: string, unheard: readonly string[]): boolean {
    const ear = this.ears.get(id);
    if (!ear) return false;
    const before = ear.unheard;
    // what it repeats at every beat is not worth a set
    if (before?.size === unheard.length && unheard.every((one) => before.has(one))) return false;
    ear.unheard = new Set(unheard);
    return true;
  }

  /** Whom I do not hear: what a heartbeat carries. */
  unheard(): string[] {
    const ids: string[] = [];
    for (const [id, ear] of this.ears) if (!ear.hears) ids.push(id);
    return ids.sort();
  }

  /** A member that I hear and that says it hears the other: a message may go through it. */
  hearerOf(id: string): string | undefined {
    for (const [peer, ear] of this.ears) {
      if (peer !== id && ear.hears && ear.unheard !== undefined && !ear.unheard.has(id)) return peer;
    }
    return undefined;
  }

  hears(id: string): boolean {
    return this.ears.get(id)?.hears === true;
  }

  /**
   * Whether at least half of the ring is heard, this node included, and says that it hears this node: who is not heard is
   * down to the others, and has a successor by now.
   */
  hearsHalf(): boolean {
    return [...this.mutual()].length >= this.othersForHalf;
  }

  /**
   * Whether a node that did not act as a home may begin to: everyone whom it hears has said that it hears it and sees the
   * same ring, so that nobody takes its place any more. After a link timeout half of the ring is enough, since a link can be
   * broken one way, and a view of the ring be old, for good.
   */
  mayBegin(): boolean {
    let heard = 0;
    for (const { hears } of this.ears.values()) if (hears) heard++;
    let agreed = 0;
    for (const id of this.mutual()) if (this.options.agrees(id)) agreed++;
    if (agreed < this.othersForHalf) return false;
    return agreed === heard || this.options.now() - this.halfSince >= this.options.graceMs;
  }

  /** Whether those who were heard once and are not now are half of the ring: they may act as homes without the rest. */
  private get parted(): boolean {
    let lost = 0;
    for (const { hears, everHeard } of this.ears.values()) if (everHeard && !hears) lost++;
    return lost * 2 >= this.ears.size + 1;
  }

  /** Whether, since this was asked last, somebody has come back from a half of the ring that may have acted by itself. */
  takeReunited(): boolean {
    const { reunited } = this;
    this.reunited = false;
    return reunited;
  }

  /** Members that hear this node and are heard by it. */
  *mutual(): Iterable<string> {
    for (const [id, { hears, unheard }] of this.ears)
      if (hears && unheard?.has(this.options.selfId) === false) yield id;
  }

  /** How many of the others must be heard so that it is half of the ring. */
  get othersForHalf(): number {
    return Math.ceil((this.ears.size - 1) / 2);
  }

  /**
   * Works out anew who is down; returns whether that changed, or whether this node may act as a home. To be called after
   * every change and at every heartbeat.
   */
  settle(): boolean {
    const now = this.options.now();
    const downs = new Set<string>();
    for (const [id, ear] of this.ears) {
      if (ear.hears || (!ear.everHeard && now - ear.since < this.options.graceMs)) continue;
      let heardByOther = false;
      for (const [peer, other] of this.ears) {
        if (peer === id || !other.hears) continue;
        // who has not spoken yet may hear it: not down before we know
        if (other.unheard === undefined || !other.unheard.has(id)) heardByOther = true;
      }
      if (!heardByOther) downs.add(id);
    }
    const before = this.downs;
    const half = this.hearsHalf();
    const halfBefore = this.half;
    this.downs = downs;
    this.half = half;
    if (half && !halfBefore) this.halfSince = now;
    const acceptedBefore = this.accepted;
    this.accepted = this.mayBegin();
    if (this.accepted !== acceptedBefore || this.reunited) return true;
    return half !== halfBefore || downs.size !== before.size || [...downs].some((id) => !before.has(id));
  }

  /** Who is down, as of the last {@link settle}. */
  get down(): ReadonlySet<string> {
    return this.downs;
  }
}
