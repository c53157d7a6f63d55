import type { Session } from './session.ts';

export interface PingWheelOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** A random number in [0, 1). */
  readonly random: () => number;
  onSilent(session: Session): void;
}

/**
 * Pings every session once an interval, each at a moment of its own: a session has one slot of a wheel that turns once an
 * interval, chosen at random, so that clients that came at once are not pinged at once, and there is one timer for all.
 */
export class PingWheel {
  private readonly options: PingWheelOptions;
  private readonly slots: Set<Session>[];
  private readonly tickMs: number;
  private readonly timeoutTicks: number;
  private timer: NodeJS.Timeout | undefined;
  /** Counts up by one each tick. */
  tick = 0;

  constructor(options: PingWheelOptions) {
    this.options = options;
    // a tick is a twentieth of the timeout at the most, so that neither is off by more than that
    const slots = Math.max(1, Math.ceil(options.intervalMs / Math.min(1_000, options.timeoutMs / 20)));
    this.tickMs = options.intervalMs / slots;
    this.timeoutTicks = Math.ceil(options.timeoutMs / this.tickMs);
    this.slots = Array.from({ length: slots }, () => new Set<Session>());
  }

  start(): void {
    this.timer = setInterval(() => this.turn(), this.tickMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  add(session: Session): void {
    const place = Math.floor(this.options.random() * this.slots.length);
    session.pingSlot = place;
    this.slots[place]?.add(session);
  }

  remove(session: Session): void {
    this.slots[session.pingSlot]?.delete(session);
  }

  private turn(): void {
    this.tick++;
    const { slots, timeoutTicks, tick } = this;
    for (const session of slots[tick % slots.length] ?? []) session.ping();
    // the slot that was pinged a timeout ago: who was not heard since is gone
    const pingedAt = tick - timeoutTicks;
    if (pingedAt <= 0) return;
    for (const session of slots[pingedAt % slots.length] ?? []) {
      if (session.heardTick < pingedAt) this.options.onSilent(session);
    }
  }
}
