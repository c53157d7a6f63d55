/** What {@link Vigil} needs to know at construction. */
export interface VigilOptions {
  /** Longest time without a look that is not taken for a stop of the process, in milliseconds. */
  readonly limitMs: number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch: goes on while the machine is suspended, which the other may not. */
  readonly wallClock: () => number;
  onStop(ms: number): void;
}

/**
 * Notices that the process stood still: frozen, starved, or with its machine. To be looked at often, and before anything is
 * done with what may have waited meanwhile, since what is read first after a stop is from before it.
 */
export class Vigil {
  private readonly options: VigilOptions;
  private at: number;
  private wallAt: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: VigilOptions) {
    this.options = options;
    this.at = options.now();
    this.wallAt = options.wallClock();
  }

  start(): void {
    this.look();
    this.timer = setInterval(() => this.look(), this.options.limitMs / 8);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** False when the process has stood still since the last look; {@link VigilOptions.onStop} has been called then. */
  look(): boolean {
    const { limitMs, now, wallClock, onStop } = this.options;
    const at = now();
    const wallAt = wallClock();
    const stood = Math.max(at - this.at, wallAt - this.wallAt);
    this.at = at;
    this.wallAt = wallAt;
    if (stood <= limitMs) return true;
    onStop(stood);
    return false;
  }
}
