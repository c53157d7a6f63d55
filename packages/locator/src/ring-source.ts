import type { MemberEntry } from '@ringway/membership';
import type { Ring } from '@ringway/ring';

/** The ring and the members at one moment. */
export interface RingView {
  readonly ring: Ring<MemberEntry>;
  /** All that are listed, those out of the ring included. */
  readonly members: readonly MemberEntry[];
}

/** What the locator needs of a ring watcher. */
export interface RingSource {
  /** Undefined before the first read. */
  readonly current: RingView | undefined;
  /** Calls the listener after each swap. @returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /** Milliseconds since the registry last confirmed the ring; `Infinity` before the first time. */
  sinceConfirmed(): number;
}
