import type { Member, MemberEntry } from '@ringway/membership';
import type { Ring } from '@ringway/ring';

/** What the locator needs of a ring watcher; `RingWatcher` of @ringway/membership fits. */
export interface RingSource {
  /** The ring to use now; empty before the first read. */
  readonly current: Ring<Member>;
  /** All listed members, also those outside the ring; undefined before the first read. */
  readonly snapshot: { readonly members: readonly MemberEntry[] } | undefined;
  /** Seconds since the registry last confirmed the ring; `Infinity` before the first read. */
  ageSeconds(): number;
  /** Calls the listener after each change of who is in the ring. @returns the function that ends it. */
  subscribe(listener: () => void): () => void;
}
