import type { Member } from '@ringway/membership';
import type { MovedRanges, Ring } from '@ringway/ring';
import { MovePlan } from './move-plan.ts';
import type { Places } from './places.ts';
import { Travel } from './travel.ts';

/** How sessions are told: `overlap` by a move, `close` by ending them, `off` not at all. */
export type MoveMode = 'overlap' | 'close' | 'off';

/** How a drain moves, in place of the settings. */
export interface MovePace {
  /** Sessions a second. */
  readonly rate: number;
  /** Least time for a plan, in milliseconds. */
  readonly spreadMs: number;
}

/** What the mover asks of those who hold the sessions. */
export interface MoverOptions<S> extends MovePace {
  readonly selfId: string;
  readonly mode: MoveMode;
  readonly places: Places;
  /** How long a session that was told may take, in milliseconds. */
  readonly deadlineMs: number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
  sessions(): Iterable<S>;
  /** The point of the session's own channel; undefined while it does not stand. */
  pointOf(session: S): number | undefined;
  /** Tells the session to go there. `avoid`: the nodes that must not send it back, this one while it leaves. */
  tell(session: S, target: Member, ring: Ring<Member>, avoid: readonly string[]): void;
  close(session: S, name: 'moved' | 'going_away'): void;
  count(result: MoveResult): void;
}

/**
 * `sent`: told to move; then `followed`, `gone` (ended otherwise), `failed` (said so), `expired` (closed at the deadline),
 * or `stayed` (its home is here again). `closed`: ended in place of being told.
 */
export type MoveResult = 'sent' | 'followed' | 'gone' | 'failed' | 'expired' | 'stayed' | 'closed';

/** `stay`: nothing to be done now; `later`: it belongs elsewhere, and cannot go just now. */
type Verdict = Member | 'stay' | 'later';

/** After so long what could not go is tried again, in milliseconds. */
const AGAIN_MS = 500;
/** How often all sessions are looked at, in milliseconds: whoever was to wait, or came by a locator that is behind. */
const LOOK_MS = 5_000;
/** A drain in which nothing has moved for so long does not wait for the rest, in milliseconds. */
const STALLED_MS = 3_000;

/**
 * Sends sessions to their homes, a few at a time: those whose home is another node after a change of the ring, and all
 * when the node drains. It goes by the ring of the membership: a home that only stands in for an owner that is down gets
 * none, for the owner may be back in a moment. Whether a session is to go is looked at again when its turn comes, so a
 * newer ring needs to take back nothing.
 */
export class Mover<S> {
  private readonly options: MoverOptions<S>;
  /** What is remembered of the few that have been told, failed, or are wary of a node. */
  private readonly travels = new Map<S, Travel>();
  /** Who was told and has not answered, with the deadline; in the order of the deadlines. */
  private readonly pending = new Map<S, number>();
  /** Who is to be told, in the plan or behind it. */
  private readonly wanted = new Set<S>();
  private plan: MovePlan<S> | undefined;
  private again = 0;
  private lookAt: number;
  private ring: Ring<Member>;
  private draining: MovePace | undefined;
  private progressAt = 0;

  constructor(options: MoverOptions<S>) {
    this.options = options;
    this.ring = options.places.ring;
    this.lookAt = options.now() + LOOK_MS * options.random();
  }

  /** Sessions that were told and have not gone. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /** Sessions that are to be told. */
  get wantedCount(): number {
    return this.wanted.size;
  }

  /** Whoever is still here will not go by itself, as far as this node can tell. */
  get idle(): boolean {
    if (this.pending.size > 0 || this.plan) return false;
    return this.wanted.size === 0 || this.options.now() - this.progressAt > STALLED_MS;
  }

  /** The ring is a new one, or who is home for these points has changed. */
  changed(moved: MovedRanges<Member>): void {
    const { places } = this.options;
    if (places.ring !== this.ring) {
      this.ring = places.ring;
      for (const travel of this.travels.values()) travel.ringChanged();
    }
    if (this.draining) this.review(() => true);
    else this.review((session, point) => moved.find(point) !== undefined || this.travels.has(session));
  }

  /** All are to go, this node's own too. */
  drain(pace: MovePace): void {
    this.draining = pace;
    this.progressAt = this.options.now();
    for (const travel of this.travels.values()) travel.drains();
    this.review(() => true);
  }

  /** The node stays after all. */
  stay(): void {
    this.draining = undefined;
    this.review(() => true);
  }

  /** A session stands. `avoided`: nodes that its ticket names as not to be used; `moved`: it came by a move. */
  arrived(session: S, avoided: readonly string[], moved: boolean): void {
    const { options } = this;
    if (options.mode === 'off') return;
    if (avoided.length > 0 || moved) this.travelOf(session).arrived(avoided, moved, options.now());
    const point = options.pointOf(session);
    if (point !== undefined && this.decide(session, point) !== 'stay') this.wanted.add(session);
  }

  /** The session has shown another ticket. */
  refreshed(session: S, avoided: readonly string[]): void {
    if (avoided.length > 0 && this.options.mode !== 'off')
      this.travelOf(session).arrived(avoided, false, this.options.now());
  }

  /** The client says that it could not get there. */
  failed(session: S): void {
    if (!this.pending.delete(session)) return;
    const { options } = this;
    options.count('failed');
    this.progressAt = options.now();
    this.travels.get(session)?.failed(options.now(), options.random());
  }

  /** The session has ended; `left`: its client has said goodbye. */
  ended(session: S, left: boolean): void {
    if (this.pending.delete(session)) {
      this.options.count(left ? 'followed' : 'gone');
      this.progressAt = this.options.now();
    }
    this.wanted.delete(session);
    this.travels.delete(session);
  }

  /** Does what is due. To be called some ten times a second. */
  tick(): void {
    const { options, plan } = this;
    if (options.mode === 'off') return;
    const now = options.now();
    this.expire(now);
    if (plan) {
      for (const session of plan.due(now)) if (this.wanted.has(session)) this.attempt(session);
      if (plan.finished) {
        this.plan = undefined;
        this.again = now + AGAIN_MS;
      }
      return;
    }
    if (now >= this.lookAt) {
      this.lookAt = now + LOOK_MS * (0.5 + options.random());
      this.review(() => true);
    } else if (this.wanted.size > 0 && now >= this.again) this.begin(AGAIN_MS);
  }

  /** Looks who of these is to go, and begins anew with them and those who were to go before. */
  private review(concerns: (session: S, point: number) => boolean): void {
    const { options, wanted } = this;
    if (options.mode === 'off') return;
    for (const session of options.sessions()) {
      const point = options.pointOf(session);
      if (point === undefined || this.pending.has(session) || !concerns(session, point)) continue;
      if (this.decide(session, point) === 'stay') wanted.delete(session);
      else wanted.add(session);
    }
    this.begin(this.draining ? this.draining.spreadMs : options.spreadMs);
  }

  private begin(leastMs: number): void {
    const { wanted, options } = this;
    const { rate } = this.draining ?? options;
    const durationMs = Math.max(leastMs, (wanted.size / rate) * 1_000);
    this.plan =
      wanted.size === 0 ? undefined : new MovePlan([...wanted], options.now(), durationMs, options.random);
  }

  private attempt(session: S): void {
    const { options, wanted, draining } = this;
    const point = options.pointOf(session);
    const verdict = point === undefined ? 'later' : this.decide(session, point);
    if (verdict === 'later') return;
    wanted.delete(session);
    if (verdict === 'stay') return;
    this.progressAt = options.now();
    if (options.mode === 'close') {
      options.count('closed');
      options.close(session, draining ? 'going_away' : 'moved');
      return;
    }
    this.pending.set(session, options.now() + options.deadlineMs);
    this.travelOf(session).sent(verdict);
    options.count('sent');
    options.tell(session, verdict, this.ring, draining ? [options.selfId] : []);
  }

  /** Where the session is to go, at this moment. */
  private decide(session: S, point: number): Verdict {
    const { places, selfId } = this.options;
    const now = this.options.now();
    const travel = this.travels.get(session);
    if (this.draining) {
      const target = places.homeWithoutSelfAt(point);
      if (!target || travel?.shuns(target, now)) return 'stay';
      return places.reaches(target) ? target : 'later';
    }
    // out of the ring, and not on the way out by its own will: back in it in a moment, or told to drain
    if (!this.ring.has(selfId)) return 'stay';
    const home = places.homeAt(point);
    if (home.kind !== 'peer' || travel?.shuns(home.member, now)) return 'stay';
    if (travel?.rests(now) || this.ring.ownerAt(point)?.id !== home.member.id) return 'later';
    return places.reaches(home.member) ? home.member : 'later';
  }

  /** Ends who was told and has not gone, unless it belongs here again. */
  private expire(now: number): void {
    const { options } = this;
    for (const [session, deadline] of this.pending) {
      if (deadline > now) return;
      this.pending.delete(session);
      this.progressAt = now;
      const point = options.pointOf(session);
      const home = point === undefined ? undefined : options.places.homeAt(point);
      if (home?.kind === 'self' && !this.draining) options.count('stayed');
      else {
        options.count('expired');
        options.close(session, 'moved');
      }
    }
  }

  private travelOf(session: S): Travel {
    let travel = this.travels.get(session);
    if (!travel) {
      travel = new Travel();
      this.travels.set(session, travel);
    }
    return travel;
  }
}
