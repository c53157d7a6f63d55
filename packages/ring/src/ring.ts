import { ForeignRingError, InvalidCountError, InvalidPointError } from './errors.ts';
import { keyPoint } from './hash.ts';
import { locate, type PointTable, pointAt, slotAt } from './point-table.ts';

/** What the ring needs to know of a member. Whatever else the object carries is kept: members come back as they were given. */
export interface RingMember {
  /** Unique in a ring; non-empty, well-formed Unicode. */
  readonly id: string;
  /** Relative share of the keys: above 0, at most 1000; 1 is usual. */
  readonly weight: number;
}

/** Which ring this is. Two rings with one checksum place every key alike; the index says which was read later. */
export interface RingVersion {
  /** As given to buildRing (the membership's index); '0' if it was not. */
  readonly index: string;
  /** 16 hexadecimal digits over the format, the ids and their numbers of points: the same in every language. */
  readonly checksum: string;
}

/** An immutable snapshot of the members and of who owns which key. New membership means a new ring. */
export interface Ring<M extends RingMember> {
  /** In the order of the ids' UTF-8 bytes. Frozen. */
  readonly members: readonly M[];
  /** How many members there are. */
  readonly size: number;
  readonly version: RingVersion;
  /**
   * The member that owns a key; undefined only on an empty ring.
   * @throws {EmptyKeyError}
   */
  owner(key: string): M | undefined;
  /**
   * The owner, its successor, and so on: `n` distinct members, fewer if the ring is smaller. Were the first one gone,
   * the second would own the key.
   * @throws {EmptyKeyError | InvalidCountError}
   */
  owners(key: string, n: number): M[];
  /**
   * The same for a point that `keyPoint` gave earlier.
   * @throws {InvalidPointError}
   */
  ownerAt(point: number): M | undefined;
  /** @throws {InvalidPointError | InvalidCountError} */
  ownersAt(point: number, n: number): M[];
  member(id: string): M | undefined;
  has(id: string): boolean;
  /** The share of all points, 0 to 1, that each member owns, by id in the order of `members`. Computed when first asked. */
  shares(): ReadonlyMap<string, number>;
}

/** What a ring is made of, for the parts of this package that need more than its answers. */
export interface RingParts<M extends RingMember> {
  readonly table: PointTable;
  /** The member of each slot; a slot that a departed member left may be empty. */
  readonly slots: readonly (M | undefined)[];
}

const CIRCLE = 2 ** 32;

/** Up to so many owners are told apart by looking through them. */
const FEW = 8;

export class TableRing<M extends RingMember> implements Ring<M> {
  readonly members: readonly M[];
  readonly size: number;
  readonly version: RingVersion;
  readonly #table: PointTable;
  readonly #slots: readonly (M | undefined)[];
  readonly #byId: ReadonlyMap<string, M>;
  #shares: ReadonlyMap<string, number> | undefined;

  constructor(members: readonly M[], version: RingVersion, parts: RingParts<M>) {
    this.members = members;
    this.size = members.length;
    this.version = version;
    this.#table = parts.table;
    this.#slots = parts.slots;
    this.#byId = new Map(members.map((member) => [member.id, member]));
    Object.freeze(this);
  }

  /** @throws {ForeignRingError} when another implementation, or another copy of this one, made the ring */
  static parts<M extends RingMember>(ring: Ring<M>): RingParts<M> {
    if (!(ring instanceof TableRing)) throw new ForeignRingError();
    return { table: ring.#table, slots: ring.#slots };
  }

  owner(key: string): M | undefined {
    return this.#ownerAt(keyPoint(key));
  }

  owners(key: string, n: number): M[] {
    return this.#from(keyPoint(key), n);
  }

  ownerAt(point: number): M | undefined {
    return this.#ownerAt(checkPoint(point));
  }

  ownersAt(point: number, n: number): M[] {
    return this.#from(checkPoint(point), n);
  }

  member(id: string): M | undefined {
    return this.#byId.get(id);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  shares(): ReadonlyMap<string, number> {
    this.#shares ??= sumShares(this.members, this.#table, this.#slots);
    return this.#shares;
  }

  #ownerAt(point: number): M | undefined {
    const table = this.#table;
    return this.#slots[slotAt(table, locate(table, point))];
  }

  #from(point: number, n: number): M[] {
    if (!(n >= 0 && (Number.isInteger(n) || n === Infinity))) throw new InvalidCountError(n);
    const limit = Math.min(n, this.size);
    const table = this.#table;
    const found: M[] = [];
    const seen = limit > FEW ? new Uint8Array(this.#slots.length) : undefined;
    for (let position = locate(table, point); found.length < limit; position++) {
      if (position >= table.size) position = 0;
      const slot = slotAt(table, position);
      const member = this.#slots[slot]!;
      if (seen ? seen[slot] === 1 : found.includes(member)) continue;
      if (seen) seen[slot] = 1;
      found.push(member);
    }
    return found;
  }
}

function checkPoint(point: number): number {
  if (point >>> 0 !== point) throw new InvalidPointError(point);
  return point;
}

/** A point owns itself and everything back to the point before it. */
function sumShares<M extends RingMember>(
  members: readonly M[],
  table: PointTable,
  slots: readonly (M | undefined)[],
): ReadonlyMap<string, number> {
  const owned = new Float64Array(slots.length);
  const add = (slot: number, length: number) => {
    owned[slot] = owned[slot]! + length;
  };
  let next = 0; // the lowest value that no point looked at so far owns
  for (let bucket = 0, position = 0; position < table.size; bucket++) {
    const end = table.starts[bucket + 1]!;
    for (; position < end; position++) {
      const point = pointAt(table, bucket, position);
      add(slotAt(table, position), point + 1 - next);
      next = point + 1;
    }
  }
  if (table.size > 0) add(slotAt(table, 0), CIRCLE - next);
  const bySlot = new Map(slots.map((member, slot) => [member?.id, owned[slot]! / CIRCLE]));
  return new Map(members.map(({ id }) => [id, bySlot.get(id) as number]));
}
