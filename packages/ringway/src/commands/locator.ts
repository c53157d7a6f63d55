import { configureLocator } from '@ringway/locator';
import { createLogger, loadEnvironment, readSettings, runUntilSignal, settingsHelp } from '@ringway/service';
import type { Command } from '../command.ts';
import { watchingFrom } from '../membership-settings.ts';
import { sdkFiles } from '../sdk-bundle.ts';
import { everySetting, locatorTable } from '../tables.ts';

/** `ringway locator` */
export const locator: Command = {
  name: 'locator',
  positionals: [],
  options: {},
  notes: () => `Settings (environment):\n${settingsHelp(locatorTable)}`,
  async run(_args, terminal) {
    const read = () => readSettings(locatorTable, loadEnvironment(terminal.env), { alsoKnown: everySetting });
    const settings = read();
    const logger = createLogger({ name: 'locator', level: settings.logLevel });
    const { locator, reload } = configureLocator(settings, {
      logger,
      sdk: sdkFiles,
      membership: (keys, hooks) =>
        watchingFrom(settings, { cluster: settings.cluster, keys, log: logger, hooks }),
    });
    return runUntilSignal(locator, { logger, reload: () => reload(read()) });
  },
};
