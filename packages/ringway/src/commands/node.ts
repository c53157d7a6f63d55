import { createNode } from '@ringway/node';
import {
  assertDistinct,
  createLogger,
  KeyFamily,
  loadEnvironment,
  readSettings,
  runUntilSignal,
  setLogLevel,
  settingsHelp,
} from '@ringway/service';
import type { Command } from '../command.ts';
import { membershipFrom } from '../membership-settings.ts';
import { everySetting, nodeTable } from '../tables.ts';

/** `ringway node` */
export const node: Command = {
  name: 'node',
  positionals: [],
  options: {},
  notes: () => `Settings (environment):\n${settingsHelp(nodeTable)}`,
  async run(_args, terminal) {
    const read = () => readSettings(nodeTable, loadEnvironment(terminal.env), { alsoKnown: everySetting });
    const settings = read();
    const ticketKeys = new KeyFamily(settings.ticketKeys);
    const clusterKeys = new KeyFamily(settings.clusterKeys);
    assertDistinct([ticketKeys, clusterKeys]);
    const logger = createLogger({ name: settings.nodeId, level: settings.logLevel });
    const { cluster } = settings;
    const running = createNode({
      settings,
      ticketKeys,
      clusterKeys,
      logger,
      membership: ({ rejected }) =>
        membershipFrom(settings, {
          cluster,
          keys: clusterKeys,
          log: logger,
          hooks: { rejected },
          check: settings,
        }),
    });
    const reload = (): void => {
      const next = read();
      // all of it is looked at before any of it is taken
      assertDistinct([new KeyFamily(next.ticketKeys), new KeyFamily(next.clusterKeys)]);
      running.reload(next);
      for (const [family, source] of [
        [ticketKeys, next.ticketKeys],
        [clusterKeys, next.clusterKeys],
      ] as const) {
        if (family.reload(source))
          logger.info({ family: family.name, newest: family.newest.kid }, 'keys changed');
      }
      setLogLevel(logger, next.logLevel);
    };
    return runUntilSignal(running, { logger, reload });
  },
};
