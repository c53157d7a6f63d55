import type { MemberState } from '@ringway/membership';

/** Why the registry has the node out of the ring. */
export type OutCause = 'maintenance' | 'critical';

export interface OwnStateOptions {
  /** How long the node must be critical: one that stood still for a while is well again in a moment. Milliseconds. */
  readonly patienceMs: number;
  out(cause: OutCause): void;
  /** The node is in the ring again, after `out` or not. */
  up(): void;
}

/**
 * What the registry says of this very node. Out of the ring counts only after it had been in it: a node that starts in
 * maintenance waits for its end. Not to be listed at all is no word: the membership registers it again.
 */
export class OwnState {
  private readonly options: OwnStateOptions;
  private wasUp = false;
  private hasJoined = false;
  private patience: NodeJS.Timeout | undefined;

  constructor(options: OwnStateOptions) {
    this.options = options;
  }

  /** The registry has had this start of the node in the ring, whatever it says now. */
  get joined(): boolean {
    return this.hasJoined;
  }

  /** `state`: as the registry shows this start of the node; undefined when it does not. */
  look(state: MemberState | undefined): void {
    if (state === 'up') {
      this.wasUp = true;
      this.hasJoined = true;
      this.stop();
      this.options.up();
    }
    if (!this.wasUp || state === undefined || state === 'up') return;
    if (state === 'leaving') {
      this.stop();
      this.options.out('maintenance');
    } else {
      this.patience ??= setTimeout(() => {
        this.patience = undefined;
        this.options.out('critical');
      }, this.options.patienceMs);
      this.patience.unref();
    }
  }

  /** What the registry shows from now on is by this node's own word, until it shows it in the ring once more. */
  forget(): void {
    this.wasUp = false;
    this.stop();
  }

  stop(): void {
    clearTimeout(this.patience);
    this.patience = undefined;
  }
}
