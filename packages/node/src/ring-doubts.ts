import type { RingWatcher } from '@ringway/membership';
import type { Logger } from '@ringway/service';

/** What acts as a home by the ring. */
export interface RingUser {
  readonly ring: { readonly size: number };
  suspend(): void;
  resume(): void;
  /** Whether half of the ring has told that it sees this one. */
  readonly agreed: boolean;
}

/** How long after a stop a registry that cannot be read is asked again, in milliseconds. */
const REREAD_MS = 200;
/** How soon another mismatch is a reason to read again, in milliseconds: after an answer, and after none. */
const AGAIN_MS = 500;
const LATER_MS = 2_000;

/** What a node does when its ring may be out of date: it reads it again, and where it must not wait, it waits. */
export class RingDoubts {
  private readonly watcher: RingWatcher;
  private readonly user: RingUser;
  private readonly logger: Logger;
  /** Batches from peers that see another ring. */
  mismatches = 0;
  /** Times that the process stood still. */
  stops = 0;
  private rereading = false;

  constructor(watcher: RingWatcher, user: RingUser, logger: Logger) {
    this.watcher = watcher;
    this.user = user;
    this.logger = logger;
  }

  /** A peer sees another ring: who of the two is behind is found out by reading again, once at a time. */
  onMismatch(): void {
    this.mismatches++;
    if (this.rereading) return;
    this.rereading = true;
    const again = (): void => {
      this.rereading = false;
    };
    // the ring that was read reaches the router as any other does; when it cannot be read the present one stands
    this.watcher.reread().then(
      () => setTimeout(again, AGAIN_MS).unref(),
      () => setTimeout(again, LATER_MS).unref(),
    );
  }

  /** Nobody could take this node's place: it is the only one, or is out of the ring and home of nothing. */
  get alone(): boolean {
    return this.user.ring.size < 2;
  }

  /** The process was stopped for so long that others may have taken its place: it asks before it acts again (rule 4). */
  onStop(ms: number): void {
    if (this.alone) return;
    this.stops++;
    this.logger.warn({ ms: Math.round(ms) }, 'this process stood still, reading the ring before it goes on');
    this.user.suspend();
    void this.confirm(this.stops);
  }

  private async confirm(stop: number): Promise<void> {
    while (stop === this.stops) {
      const read = await this.watcher.reread().then(
        () => true,
        () => false,
      );
      // while the registry is away, what half of the ring says is as good as it gets
      if (stop === this.stops && (read || this.user.agreed)) return this.user.resume();
      await new Promise((resolve) => setTimeout(resolve, REREAD_MS).unref());
    }
  }
}
