/**
 * What a run leaves behind for the checker. Times are milliseconds of one monotonic clock, the harness's own.
 * The types are the checker's own on purpose: it shares nothing with the code that it judges.
 */
export interface Place {
  readonly epoch: string;
  readonly seq: number;
}

/** A publish and what became of it, as its sender knows. */
export interface PublishRecord {
  /** Unique in the run. */
  readonly id: string;
  readonly from: string;
  readonly channel: string;
  /** Counts the publishes of this sender, in the order in which they were made. */
  readonly n: number;
  readonly sentAt: number;
  outcome: 'pending' | 'confirmed' | 'refused' | 'unknown';
  answeredAt?: number;
  position?: Place;
  duplicate?: boolean;
  /** It was refused for the moment at least once, and sent again: it may have lost its place in the sender's order. */
  refusedOnce?: boolean;
  /** Said when everything had calmed down: no gap excuses its loss. */
  calm?: boolean;
  /** Of a refusal, or of a failure to learn. */
  why?: string;
}

/** What one session saw, in this order. */
export type Sight =
  /** From here on it should get what comes after `position`. */
  | { readonly kind: 'subscribed'; readonly at: number; readonly channel: string; readonly position: Place }
  | { readonly kind: 'left'; readonly at: number; readonly channel: string }
  | {
      readonly kind: 'message';
      readonly at: number;
      readonly channel: string;
      readonly id: string;
      readonly from: string;
      readonly position: Place | undefined;
    }
  | {
      readonly kind: 'gap';
      readonly at: number;
      readonly channel: string;
      readonly after: Place;
      readonly upTo: Place;
    }
  | { readonly kind: 'state'; readonly at: number; readonly state: string; readonly code: number };

/** A client through all its connections. */
export interface SessionRecord {
  readonly name: string;
  readonly userId: string;
  readonly sights: Sight[];
}

/** How a client stood when things were calm again. */
export interface Standing {
  readonly session: string;
  readonly state: string;
  /** Where it is; undefined when nowhere. */
  readonly node: string | undefined;
  /** Where the ring wants it. */
  readonly home: string | undefined;
  /** It came there around its home, which it could not reach: nobody sends it home before the ring changes. */
  readonly avoiding?: boolean;
}

/** What a process held before and after. */
export interface Holding {
  readonly process: string;
  readonly what: string;
  readonly before: number;
  readonly after: number;
  /** Most that `after` may be above `before`. */
  readonly allowance: number;
}

export interface RunRecord {
  readonly publishes: readonly PublishRecord[];
  readonly sessions: readonly SessionRecord[];
  readonly standings: readonly Standing[];
  readonly holdings: readonly Holding[];
}
