import { after, type LinkClock } from '@ringway/link';

/** How often silence is looked at, in milliseconds. */
const TICK_MS = 5_000;

/** A look that comes so much too late means that the machine slept, or that the page was stopped. */
const JUMP_MS = 5_000;

/** How long a probe waits for its pong. */
const PROBE_MS = 5_000;

/** What a heartbeat asks of its connection. */
export interface HeartbeatPort {
  /** Sends a `ping`. */
  ping(): void;
  /** The connection is dead. */
  dead(reason: string): void;
}

/**
 * Finds out that a connection is dead although no one has said so. The server pings; when nothing has come for an
 * interval and a timeout, it is gone. After a sleep, or when the network has changed, a probe finds it out sooner.
 */
export class Heartbeat {
  readonly #clock: LinkClock;
  readonly #port: HeartbeatPort;
  #limitMs = 0;
  #heardAt = 0;
  #cancelTick: (() => void) | undefined;
  #cancelProbe: (() => void) | undefined;

  constructor(clock: LinkClock, port: HeartbeatPort) {
    this.#clock = clock;
    this.#port = port;
  }

  start(intervalMs: number, timeoutMs: number): void {
    this.stop();
    this.#limitMs = intervalMs + timeoutMs;
    this.#heardAt = this.#clock.now();
    this.#arm();
  }

  stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.pong();
  }

  /** Something has come. */
  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  /** The answer to a probe has come. */
  pong(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
  }

  /** Asks whether the connection lives; without an answer it is dead. */
  probe(): void {
    if (!this.#cancelTick || this.#cancelProbe) return;
    this.#cancelProbe = after(this.#clock, PROBE_MS, () => this.#port.dead('no answer to a probe'));
    this.#port.ping();
  }

  #arm(): void {
    const waitMs = Math.min(TICK_MS, this.#limitMs);
    const due = this.#clock.now() + waitMs;
    this.#cancelTick = after(this.#clock, waitMs, () => this.#look(due));
  }

  #look(due: number): void {
    const now = this.#clock.now();
    // a clock that was set back must not make the silence look short for ever
    this.#heardAt = Math.min(this.#heardAt, now);
    if (now - this.#heardAt > this.#limitMs) {
      this.#port.dead(`nothing was heard for ${now - this.#heardAt} ms`);
      return;
    }
    this.#arm();
    if (now - due > JUMP_MS) this.probe();
  }
}
