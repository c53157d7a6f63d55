import type { Member } from '@ringway/membership';
import { buildRing, movedRanges, type Ring } from '@ringway/ring';
import { type MoveResult, Mover, type MoverOptions } from '../../src/session/mover.ts';
import type { HomePlace, Places } from '../../src/session/places.ts';

export function member(id: string, incarnation = '1'): Member {
  return {
    id,
    incarnation,
    publicUrl: `wss://${id}.example.com`,
    internalUrl: `http://${id}:1`,
    weight: 1,
    ringFormat: 1,
    protocol: { min: 1, max: 1 },
  };
}

export interface FakeSession {
  readonly name: string;
  readonly point: number;
  open: boolean;
}

/** One node's sessions, and a ring, peers and a clock that the test has in hand. The node is `a`. */
export class MoverBench implements Places {
  time = 0;
  ring: Ring<Member>;
  living: Ring<Member>;
  /** Peers that see another ring, or are not heard. */
  readonly unreached = new Set<string>();
  readonly sessions = new Set<FakeSession>();
  readonly told: { session: FakeSession; target: Member; avoid: readonly string[]; at: number }[] = [];
  readonly closed: { session: FakeSession; name: string; at: number }[] = [];
  readonly results = new Map<MoveResult, number>();
  readonly mover: Mover<FakeSession>;
  private seed = 1;
  private names = 0;

  constructor(ids: readonly string[], options: Partial<MoverOptions<FakeSession>> = {}) {
    this.ring = buildRing(ids.map((id) => member(id)));
    this.living = this.ring;
    this.mover = new Mover<FakeSession>({
      selfId: 'a',
      mode: 'overlap',
      places: this,
      rate: 100,
      spreadMs: 1_000,
      deadlineMs: 10_000,
      now: () => this.time,
      random: () => this.random(),
      sessions: () => this.sessions,
      pointOf: ({ open, point }) => (open ? point : undefined),
      tell: (session, target, _ring, avoid) => this.told.push({ session, target, avoid, at: this.time }),
      close: (session, name) => {
        this.closed.push({ session, name, at: this.time });
        this.end(session, false);
      },
      count: (result) => this.results.set(result, (this.results.get(result) ?? 0) + 1),
      ...options,
    });
  }

  homeAt(point: number): HomePlace {
    const home = this.living.ownerAt(point);
    if (!home) return { kind: 'nowhere' };
    return home.id === 'a' ? { kind: 'self' } : { kind: 'peer', member: home };
  }

  homeWithoutSelfAt(point: number): Member | undefined {
    return this.living.ownersAt(point, 2).find(({ id }) => id !== 'a');
  }

  reaches({ id }: Member): boolean {
    return !this.unreached.has(id);
  }

  /** A new ring of these; `downs` are in it and not heard. */
  change(members: readonly (string | Member)[], downs: readonly string[] = []): void {
    const before = this.living;
    this.ring = buildRing(members.map((each) => (typeof each === 'string' ? member(each) : each)));
    this.living = buildRing(this.ring.members.filter(({ id }) => !downs.includes(id)));
    this.mover.changed(movedRanges(before, this.living));
  }

  /** The same ring, in which others are down now. */
  hear(downs: readonly string[]): void {
    const before = this.living;
    this.living = buildRing(this.ring.members.filter(({ id }) => !downs.includes(id)));
    this.mover.changed(movedRanges(before, this.living));
  }

  /** Sessions at random points of the ring, whose home is this node unless `anywhere`. */
  add(count: number, anywhere = false): FakeSession[] {
    const added: FakeSession[] = [];
    while (added.length < count) {
      const session = { name: `s${this.names++}`, point: Math.floor(this.random() * 2 ** 32), open: true };
      if (!anywhere && this.ring.ownerAt(session.point)?.id !== 'a') continue;
      this.sessions.add(session);
      added.push(session);
    }
    return added;
  }

  /** The same as whoever accepts them would: `avoided` by the ticket, come by a move or not. */
  arrive(session: FakeSession, avoided: readonly string[] = [], moved = false): void {
    this.sessions.add(session);
    this.mover.arrived(session, avoided, moved);
  }

  end(session: FakeSession, left = true): void {
    if (!this.sessions.delete(session)) return;
    session.open = false;
    this.mover.ended(session, left);
  }

  pass(ms: number): void {
    for (const until = this.time + ms; this.time < until; ) {
      this.time += 50;
      this.mover.tick();
    }
  }

  random(): number {
    this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.seed / 2 ** 32;
  }
}
