import { after } from '@ringway/link';
import type { RouteAnswer } from '@ringway/protocol';
import { RingwayError, RouteError } from './errors.ts';
import type { ResolvedOptions } from './options.ts';
import type { RouteAsker } from './route.ts';

/** What a renewal asks of its session. */
export interface RenewalPort {
  readonly avoid: () => readonly string[];
  failed(error: RingwayError): void;
}

/**
 * Gets a ticket by a new token while the session's right lasts. Undefined when there was none to be had by then, or the
 * signal aborted: the node ends the session at its time, and what `/route` says then counts.
 */
export async function renew(
  router: RouteAsker,
  { clock, backoff, random }: ResolvedOptions,
  until: number,
  port: RenewalPort,
  signal: AbortSignal,
): Promise<RouteAnswer | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    router.forgetToken();
    let least = 0;
    try {
      return await router.ask(port.avoid(), signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof RingwayError) port.failed(error);
      if (error instanceof RouteError) {
        if (error.terminal) return undefined;
        least = error.retryAfterMs;
      }
    }
    const waitMs = least + backoff(attempt, random());
    if (clock.now() + waitMs >= until) return undefined;
    await new Promise<void>((resolve) => {
      const cancel = after(clock, waitMs, resolve);
      signal.addEventListener('abort', () => {
        cancel();
        resolve();
      });
    });
  }
  return undefined;
}
