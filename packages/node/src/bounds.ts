import type { Logger } from '@ringway/service';

/** A step of the start took too long: the registry is away. */
export class StartTimeoutError extends Error {
  override readonly name = 'StartTimeoutError';
  readonly code = 'start_timeout';

  constructor(what: string, ms: number) {
    super(`${what} took more than ${ms / 1000} s`);
  }
}

/** Waits for a step of the start, but neither beyond its time nor beyond a stop. */
export async function within<T>(ms: number, signal: AbortSignal, what: string, step: Promise<T>): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new StartTimeoutError(what, ms)), ms);
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([step, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Waits for a step of the stop, but not for ever: what is away must not keep the process. */
export async function bounded(
  step: Promise<unknown>,
  ms: number,
  what: string,
  logger: Logger,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      logger.warn({ ms }, `${what} took too long, going on`);
      resolve();
    }, ms);
  });
  const done = step.then(undefined, (error: unknown) =>
    logger.warn({ err: error }, `${what} failed, going on`),
  );
  await Promise.race([done, late]);
  clearTimeout(timer);
}
