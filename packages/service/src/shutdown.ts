import type { Service } from './lifecycle.ts';
import { ListenError } from './listening.ts';
import type { Logger } from './log.ts';

/** What {@link runUntilSignal} needs beside the service. */
export interface RunOptions {
  readonly logger: Logger;
  /** Called on SIGHUP. What it throws is logged, and everything stays as it was. */
  readonly reload?: () => Promise<void> | void;
  /** Status of the process after a stop that went well; 0 by default. */
  readonly exitCode?: () => number;
}

const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Starts a service and keeps the process for it until the service ends or a signal asks for the end.
 * SIGTERM and SIGINT stop it gracefully, then the process exits with 0; a second one ends the process at once
 * (128 + number). SIGHUP reloads. A failure of the service, an uncaught exception and an unhandled rejection are logged
 * and end the process with 1.
 *
 * Never returns: the exit is explicit, so that a forgotten timer or socket cannot keep a stopped process alive.
 */
export async function runUntilSignal(service: Service, options: RunOptions): Promise<never> {
  const { logger, reload, exitCode = () => 0 } = options;
  let asked = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (asked) {
        logger.warn({ signal }, 'second signal, ending at once');
        process.exit(128 + SIGNAL_NUMBERS[signal]);
      }
      asked = true;
      logger.info({ signal }, 'stopping');
      // the outcome is read from `ended` below
      service.stop().catch(() => {});
    });
  }
  process.on('SIGHUP', () => {
    void (async () => {
      try {
        await reload?.();
        logger.info('reloaded');
      } catch (error) {
        logger.error({ err: error }, 'reload failed, everything stays as it was');
      }
    })();
  });
  const die = (what: string) => (error: unknown) => {
    logger.fatal({ err: error }, what);
    process.exit(1);
  };
  process.on('uncaughtException', die('uncaught exception'));
  process.on('unhandledRejection', die('unhandled rejection'));

  service.start().catch(() => {});
  const failure = await service.ended;
  if (failure) {
    // where the message says it all, a stack only hides it
    if (failure instanceof ListenError) logger.fatal({ code: failure.code }, failure.message);
    else logger.fatal({ err: failure }, `${service.name} failed`);
    return process.exit(1);
  }
  logger.info('stopped');
  return process.exit(exitCode());
}
