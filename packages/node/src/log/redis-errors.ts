import { LogRefusedError } from './port.ts';

/** The log cannot say whether it has stored a message: it was sent, and no answer came. */
export class LogUnknownError extends Error {
  override readonly name = 'LogUnknownError';
  readonly code = 'log_unknown';
}

/** Redis is set so that it cannot keep a log. The process does not start. */
export class RedisUnfitError extends Error {
  override readonly name = 'RedisUnfitError';
  readonly code = 'redis_unfit';
}

/**
 * Replies that Redis gives before it has written anything; from within a script they come with the script's name about
 * them, and since the scripts write first what Redis may refuse, nothing was written then either.
 */
const REFUSALS =
  /(?:^|[ -])(OOM|READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|MISCONF|BUSY|NOAUTH|NOSCRIPT|MOVED|ASK|TRYAGAIN|CROSSSLOT) /;

/** What Redis has answered in place of an outcome, as the port's error. */
export function replyFailure(message: string, cause?: unknown): Error {
  return REFUSALS.test(message)
    ? new LogRefusedError(`Redis has refused: ${message}`, { cause })
    : new LogUnknownError(`Redis has failed: ${message}`, { cause });
}
