import { readFileSync } from 'node:fs';
import { configureIngest, type IngestSettings } from '@ringway/ingest';
import { consulSource, locatorSource, type RingSource, RingwayPush } from '@ringway/push';
import { redisSource } from '@ringway/push/redis';
import {
  createLogger,
  loadEnvironment,
  readSettings,
  runUntilSignal,
  SettingsError,
  setLogLevel,
  settingsHelp,
} from '@ringway/service';
import type { Command } from '../command.ts';
import { consulTls, type MembershipSettings, ringRedis } from '../membership-settings.ts';
import { everySetting, ingestTable } from '../tables.ts';

/** `ringway ingest` */
export const ingest: Command = {
  name: 'ingest',
  positionals: [],
  options: {},
  notes: () => `Settings (environment):\n${settingsHelp(ingestTable)}`,
  async run(_args, terminal) {
    const read = () => readSettings(ingestTable, loadEnvironment(terminal.env), { alsoKnown: everySetting });
    const settings = read();
    const logger = createLogger({ name: 'ingest', level: settings.logLevel });
    const source = ringSource(settings);
    const ca = internalCa(settings.internalCa);
    const running = await configureIngest(settings, {
      logger,
      push: () =>
        new RingwayPush({
          source,
          name: settings.name,
          cluster: settings.cluster,
          clusterKeys: settings.clusterKeys.text,
          timeoutMs: settings.publishTimeout,
          ...(ca !== undefined && { tls: { ca } }),
        }),
    });
    return runUntilSignal(running, { logger, reload: () => setLogLevel(logger, read().logLevel) });
  },
};

function ringSource(settings: IngestSettings & MembershipSettings): RingSource {
  if (settings.locators.length > 0) return locatorSource({ urls: settings.locators });
  if (settings.membership === 'redis') {
    const { url, tls } = ringRedis(settings);
    return redisSource({ url, ...(tls && { tls }) });
  }
  const tls = consulTls(settings);
  return consulSource({
    address: settings.consulUrl,
    ...(settings.consulToken !== undefined && { token: settings.consulToken }),
    ...(tls && { tls }),
  });
}

function internalCa(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SettingsError(
      [{ name: 'RINGWAY_INTERNAL_CA', given: path, expected: 'a file that can be read' }],
      { cause },
    );
  }
}
