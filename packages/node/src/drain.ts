import type { DrainAnswer, DrainCause } from '@ringway/protocol';
import type { Logger } from '@ringway/service';
import { bounded } from './bounds.ts';
import type { MovePace } from './session/mover.ts';

/** Who sends the sessions away. */
export interface DrainMover {
  drain(pace: MovePace): void;
  stay(): void;
  /** Whoever is still here will not go by itself. */
  readonly idle: boolean;
}

/** Who holds the sessions. */
export interface DrainSessions {
  readonly size: number;
  readonly mover: DrainMover;
  refuseNew(refuse: boolean): void;
  closeAll(name: 'going_away', spreadMs: number): Promise<void>;
}

export interface DrainOptions {
  readonly nodeId: string;
  /** Longest time over all. */
  readonly graceMs: number;
  /** Over how long those are closed who did not move. */
  readonly closeSpreadMs: number;
  /** Sessions a second, and the least time for a plan, unless the grace asks for less. */
  readonly pace: MovePace;
  readonly sessions: DrainSessions;
  readonly logger: Logger;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Takes the node out of the ring, and back into it. */
  leave(): Promise<void>;
  rejoin(): Promise<void>;
  /** Whether all channels that this node was home of are in other hands. */
  channelsClosed(): boolean;
  /** All is done that a drain does; the node is to end. */
  drained(): void;
}

/** The word to the registry is waited for so long before sessions are moved; it goes on meanwhile. Milliseconds. */
const WORD_MS = 1_000;
const STEP_MS = 50;
const TELL_MS = 1_000;
/** The part of the grace in which all sessions are to be told. */
const MOVE_PART = 0.75;

/** One drain under way. */
interface Run {
  readonly began: number;
  readonly total: number;
  cancelled: boolean;
}

/**
 * Takes a node out of service without its clients noticing, whatever the cause: out of the ring, no new sessions,
 * everyone moved, channels closed; then it is `drained`, for good. Until then it serves again once no cause is left.
 *
 * ```
 * serving ──begin──> draining ──all gone, nobody goes any more, or the grace is over──> drained
 *    ^                  |
 *    └──the last cause──┘
 *            lifted
 * ```
 */
export class Drain {
  private readonly options: DrainOptions;
  private readonly reasons = new Set<DrainCause>();
  private run: Run | undefined;
  private over = false;
  /** The word to the registry that this node leaves; undefined while it has not been said. */
  private word: Promise<void> | undefined;
  private readonly finished = Promise.withResolvers<void>();

  constructor(options: DrainOptions) {
    this.options = options;
  }

  /** Whether the node is on its way out. */
  get active(): boolean {
    return this.over || this.run !== undefined;
  }

  /** Whether this node has itself told the registry that it leaves. */
  get said(): boolean {
    return this.word !== undefined;
  }

  get progress(): DrainAnswer {
    const { run, over, reasons } = this;
    const { nodeId, sessions, now, graceMs } = this.options;
    const left = sessions.size;
    const total = run ? Math.max(run.total, left) : left;
    return {
      nodeId,
      state: over ? 'drained' : run ? 'draining' : 'serving',
      causes: [...reasons],
      total,
      moved: total - left,
      left,
      seconds: run ? Math.round((now() - run.began) / 100) / 10 : 0,
      graceSeconds: graceMs / 1_000,
    };
  }

  /** Begins a drain, or adds a cause to the one under way. */
  begin(cause: DrainCause): void {
    this.reasons.add(cause);
    // where the registry has put the node out, only the registry is to take it back
    if (cause === 'signal' || cause === 'request') this.sayLeaving();
    if (this.active) return;
    const run: Run = { began: this.options.now(), total: this.options.sessions.size, cancelled: false };
    this.run = run;
    void this.go(run);
  }

  /** Takes a cause back. Without any other the node serves again, unless it has been drained meanwhile. */
  lift(cause: DrainCause): void {
    const { run, options } = this;
    if (!this.reasons.delete(cause) || !run || this.over) return;
    if (this.reasons.size > 0) return;
    run.cancelled = true;
    this.run = undefined;
    const { said } = this;
    this.word = undefined;
    if (said) options.rejoin().catch((error: unknown) => this.warn(error, 'rejoining the ring failed'));
    options.sessions.refuseNew(false);
    options.sessions.mover.stay();
    options.logger.info({ left: options.sessions.size }, 'the drain was cancelled, serving again');
  }

  /** Tells the registry once more: it has been told otherwise. */
  repeat(): void {
    this.word = undefined;
    this.sayLeaving();
  }

  /** Drains for good, and resolves when that is done. */
  finish(): Promise<void> {
    this.begin('signal');
    return this.finished.promise;
  }

  private async go(run: Run): Promise<void> {
    const { sessions, graceMs, closeSpreadMs, now, logger } = this.options;
    const deadline = run.began + graceMs - Math.min(1_000, graceMs / 10);
    const until = deadline - Math.min(closeSpreadMs, graceMs / 4);
    sessions.refuseNew(true);
    logger.info({ causes: [...this.reasons], sessions: run.total, graceMs }, 'draining');
    if (this.word !== undefined) await soon(this.word, Math.min(WORD_MS, graceMs / 10));
    if (run.cancelled) return;
    sessions.mover.drain(this.paceFor(sessions.size, until - now()));
    let toldAt = now();
    while (now() < until && !this.isEmpty() && !(sessions.size > 0 && sessions.mover.idle)) {
      await delay(STEP_MS);
      if (run.cancelled) return;
      if (now() - toldAt < TELL_MS) continue;
      toldAt += TELL_MS;
      const { moved, left, seconds } = this.progress;
      logger.info({ moved, left, seconds }, 'draining');
    }
    // from here on there is no way back
    this.over = true;
    const { moved, left } = this.progress;
    await sessions.closeAll('going_away', Math.max(0, Math.min(closeSpreadMs, deadline - now())));
    while (now() < deadline && !this.options.channelsClosed()) await delay(STEP_MS);
    logger.info(
      { moved, left, seconds: this.progress.seconds, channelsClosed: this.options.channelsClosed() },
      'drained: all sessions have moved, or, as many as were left, were asked to go elsewhere',
    );
    this.finished.resolve();
    this.options.drained();
  }

  private isEmpty(): boolean {
    return this.options.sessions.size === 0 && this.options.channelsClosed();
  }

  private paceFor(count: number, leftMs: number): MovePace {
    const { pace, logger } = this.options;
    const budgetMs = Math.max(1, leftMs * MOVE_PART);
    const needed = (count / budgetMs) * 1_000;
    if (needed > pace.rate) {
      logger.warn(
        { sessions: count, rate: pace.rate, needed: Math.ceil(needed) },
        'draining faster than RINGWAY_MOVE_RATE, which would not fit into RINGWAY_STOP_GRACE',
      );
    }
    return { rate: Math.max(pace.rate, needed), spreadMs: Math.min(pace.spreadMs, budgetMs) };
  }

  private sayLeaving(): void {
    if (this.said) return;
    const { graceMs, logger } = this.options;
    this.word = bounded(this.options.leave(), Math.max(WORD_MS, graceMs / 2), 'leaving the ring', logger);
  }

  private warn(error: unknown, what: string): void {
    this.options.logger.warn({ err: error }, what);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for a step, but not for long. */
async function soon(step: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    step,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}
