import type { MembershipLog } from './log.ts';
import type { MembershipObserver, Snapshot, StaleReason } from './port.ts';

/**
 * The observer of one watch, called as the port demands: later, in order, one call at a time, never after the end. What
 * it throws is logged.
 */
export class Audience {
  readonly #registry: string;
  readonly #observer: MembershipObserver;
  readonly #log: MembershipLog;
  readonly #ended: AbortSignal;
  #staleReason: StaleReason | undefined;

  /** `registry` names it in the log. */
  constructor(registry: string, observer: MembershipObserver, log: MembershipLog, ended: AbortSignal) {
    this.#registry = registry;
    this.#observer = observer;
    this.#log = log;
    this.#ended = ended;
  }

  show(snapshot: Snapshot): void {
    this.#tell((observer) => observer.snapshot(snapshot));
  }

  stale(reason: StaleReason, cause: unknown): void {
    if (this.#staleReason === reason) return;
    this.#staleReason = reason;
    const fields = { reason, error: errorText(cause) };
    this.#log.warn(fields, `${this.#registry}: the members shown may be out of date`);
    this.#tell((observer) => observer.stale?.(reason, cause));
  }

  fresh(): void {
    if (this.#staleReason === undefined) return;
    this.#staleReason = undefined;
    this.#log.info({}, `${this.#registry}: the members shown are confirmed again`);
    this.#tell((observer) => observer.fresh?.());
  }

  #tell(call: (observer: MembershipObserver) => void): void {
    queueMicrotask(() => {
      if (this.#ended.aborted) return;
      try {
        call(this.#observer);
      } catch (error) {
        this.#log.error({ error: errorText(error) }, 'membership: an observer failed');
      }
    });
  }
}

/** An error in one line, with what caused it. */
export function errorText(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
