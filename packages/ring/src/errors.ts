/** Every error that this package throws: bad input, told apart by `code`. */
export abstract class RingError extends RangeError {
  /** Stable and machine-readable; one for each class. */
  abstract readonly code: string;
}

/** A key with no characters: it names nothing, so nothing owns it. */
export class EmptyKeyError extends RingError {
  override readonly name = 'EmptyKeyError';
  readonly code = 'empty_key';

  constructor() {
    super('key must not be empty');
  }
}

/** A member id that is empty, or not well-formed Unicode (a lone surrogate has no UTF-8 of its own). */
export class InvalidMemberIdError extends RingError {
  override readonly name = 'InvalidMemberIdError';
  readonly code = 'invalid_member_id';
  readonly id: unknown;

  constructor(id: unknown) {
    super(`member id must be a non-empty, well-formed string, got ${JSON.stringify(id)}`);
    this.id = id;
  }
}

/** Two members of one ring with the same id. */
export class DuplicateMemberError extends RingError {
  override readonly name = 'DuplicateMemberError';
  readonly code = 'duplicate_member';
  readonly id: string;

  constructor(id: string) {
    super(`member ${JSON.stringify(id)} is given twice`);
    this.id = id;
  }
}

/** A weight that is not a finite number above 0 and at most `MAX_WEIGHT`. */
export class InvalidWeightError extends RingError {
  override readonly name = 'InvalidWeightError';
  readonly code = 'invalid_weight';
  readonly id: string;
  readonly weight: unknown;

  constructor(id: string, weight: unknown, limit: number) {
    super(
      `weight of member ${JSON.stringify(id)} must be above 0 and at most ${limit}, got ${String(weight)}`,
    );
    this.id = id;
    this.weight = weight;
  }
}

/** More virtual nodes than a ring holds. Weights are relative: scale all of them down. */
export class RingTooLargeError extends RingError {
  override readonly name = 'RingTooLargeError';
  readonly code = 'ring_too_large';
  readonly points: number;
  readonly limit: number;

  constructor(points: number, limit: number) {
    super(`ring would have ${points} points, at most ${limit} are allowed: scale the weights down`);
    this.points = points;
    this.limit = limit;
  }
}

/** A point that is not an integer of 0..2^32-1. */
export class InvalidPointError extends RingError {
  override readonly name = 'InvalidPointError';
  readonly code = 'invalid_point';
  readonly point: unknown;

  constructor(point: unknown) {
    super(`point must be an integer of 0..4294967295, got ${String(point)}`);
    this.point = point;
  }
}

/** A number of owners that is not an integer of 0 or more (Infinity asks for all). */
export class InvalidCountError extends RingError {
  override readonly name = 'InvalidCountError';
  readonly code = 'invalid_count';
  readonly count: unknown;

  constructor(count: unknown) {
    super(`number of owners must be an integer of 0 or more, or Infinity, got ${String(count)}`);
    this.count = count;
  }
}

/** A ring that this copy of the package did not build, where the points themselves are needed. */
export class ForeignRingError extends RingError {
  override readonly name = 'ForeignRingError';
  readonly code = 'foreign_ring';

  constructor() {
    super('ring was not built by buildRing of this copy of the package');
  }
}
