/** What a {@link Desk} watches with. */
export interface DeskOptions {
  /** Whether the user of a channel has a session anywhere, as its home knows it now. */
  readonly present: (channel: string) => boolean;
  /** How long a user must be gone until that is told, in milliseconds. */
  readonly debounceMs: number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  readonly tell: (channel: string, online: boolean) => void;
}

/**
 * Turns who is there into who came and who went, for the channels that somebody watches.
 *
 * ```
 *            present: tell online                gone
 * unknown ─────────────────────────> online ─────────────> online, going
 *    │                                 ↑ ↑   back: nothing      │
 *    │                                 │ └──────────────────────┤
 *    │ absent for the debounce         │ present: tell online   │ gone for the debounce
 *    └──────────────> offline ─────────┘ <──────────────────────┘
 *      tell offline                                 tell offline
 * ```
 *
 * A watch begins `unknown`: what another home may have told last is not known, so the state is told, whatever it is.
 */
export class Desk {
  private readonly options: DeskOptions;
  private readonly states = new Map<string, 'unknown' | 'online' | 'offline'>();
  /** Who is to be told as offline, and when; in the order of that. */
  private readonly going = new Map<string, number>();

  constructor(options: DeskOptions) {
    this.options = options;
  }

  /** Channels that are watched. */
  get size(): number {
    return this.states.size;
  }

  channels(): Iterable<string> {
    return this.states.keys();
  }

  watch(channel: string): void {
    if (this.states.has(channel)) return;
    this.states.set(channel, 'unknown');
    this.look(channel);
  }

  unwatch(channel: string): void {
    this.states.delete(channel);
    this.going.delete(channel);
  }

  /** Who is there may have changed. */
  touched(channel: string): void {
    if (this.states.has(channel)) this.look(channel);
  }

  /** To be called again and again: tells of those who have not come back. */
  sweep(): void {
    const now = this.options.now();
    for (const [channel, at] of this.going) {
      if (at > now) return;
      this.going.delete(channel);
      if (this.options.present(channel)) this.look(channel);
      else this.say(channel, 'offline');
    }
  }

  /** Whether a user was told as online last; undefined where nothing was told. */
  told(channel: string): boolean | undefined {
    const state = this.states.get(channel) ?? 'unknown';
    return state === 'unknown' ? undefined : state === 'online';
  }

  private look(channel: string): void {
    const { present, now, debounceMs } = this.options;
    if (present(channel)) {
      this.going.delete(channel);
      this.say(channel, 'online');
    } else if (this.states.get(channel) !== 'offline' && !this.going.has(channel)) {
      this.going.set(channel, now() + debounceMs);
    }
  }

  private say(channel: string, state: 'online' | 'offline'): void {
    if (this.states.get(channel) === state) return;
    this.states.set(channel, state);
    this.options.tell(channel, state === 'online');
  }
}
