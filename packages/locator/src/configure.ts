import { readFileSync } from 'node:fs';
import type { Watching } from '@ringway/membership';
import type { Capabilities } from '@ringway/protocol';
import {
  assertDistinct,
  checkInsecure,
  KeyFamily,
  type Logger,
  readTls,
  SettingsError,
  setLogLevel,
} from '@ringway/service';
import { authFromSettings } from './auth/from-settings.ts';
import { createLocator, type Locator, type MembershipHooks } from './locator.ts';
import type { SdkFiles } from './sdk.ts';
import { type LocatorSettings, listenerTls } from './settings.ts';

/** What {@link configureLocator} needs beside the settings. */
export interface LocatorParts {
  /** Made by the command: the adapter, given the cluster's keys for its signer and what the locator counts. */
  readonly membership: (clusterKeys: KeyFamily, hooks: MembershipHooks) => Watching;
  /** The root logger, whose level SIGHUP may change. */
  readonly logger: Logger;
  readonly sdk?: SdkFiles;
  /** What callers may do when `RINGWAY_INSECURE` is on. Default nothing but receive. */
  readonly insecureCap?: Capabilities;
}

/** A locator, and what SIGHUP does to it. */
export interface ConfiguredLocator {
  readonly locator: Locator;
  /**
   * Takes over keys, certificates, origins and log level of a new reading of the settings.
   *
   * @throws SettingsError when something is wrong with them; everything then stays as it was.
   */
  reload(settings: LocatorSettings): void;
}

function readCa(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const expected = 'a file that can be read';
    throw new SettingsError([{ name: 'RINGWAY_FALLBACK_CA', given: path, expected }], { cause });
  }
}

/** Makes a locator as the settings say. @throws SettingsError */
export function configureLocator(settings: LocatorSettings, parts: LocatorParts): ConfiguredLocator {
  checkInsecure(settings);
  const { logger } = parts;
  const auth = authFromSettings(
    settings,
    parts.insecureCap === undefined ? {} : { insecureCap: parts.insecureCap },
  );
  const ticketKeys = new KeyFamily(settings.ticketKeys);
  const clusterKeys = new KeyFamily(settings.clusterKeys);
  const families = auth.keys ? [auth.keys, ticketKeys, clusterKeys] : [ticketKeys, clusterKeys];
  assertDistinct(families);
  const tls = listenerTls(settings);
  // a file that cannot be used is a bad setting, known before anything starts
  for (const files of [tls.public, tls.internal]) if (files) readTls(files);
  const locator = createLocator({
    cluster: settings.cluster,
    membership: (hooks) => parts.membership(clusterKeys, hooks),
    ticketKeys,
    clusterKeys,
    authenticate: auth.authenticate,
    logger,
    publicListen: settings.publicListen,
    internalListen: settings.internalListen,
    ...(tls.public ? { publicTls: tls.public } : {}),
    ...(tls.internal ? { internalTls: tls.internal } : {}),
    origins: settings.origins,
    routeLimit: { rate: settings.routeRate, burst: settings.routeBurst },
    maxLag: settings.maxLag,
    internalOpen: settings.insecure,
    stopDelay: settings.stopDelay,
    ...(settings.fallback === undefined
      ? {}
      : {
          fallback: {
            url: settings.fallback,
            maxSessions: settings.fallbackSessions,
            frameBytes: settings.fallbackFrameBytes,
            ca: readCa(settings.fallbackCa),
          },
        }),
    ...(parts.sdk === undefined ? {} : { sdk: parts.sdk }),
  });
  return {
    locator,
    reload(next) {
      const sources = [
        ...(auth.keys && next.authKeys ? [next.authKeys] : []),
        next.ticketKeys,
        next.clusterKeys,
      ];
      // all of it is looked at before any of it is taken
      assertDistinct(sources.map((source) => new KeyFamily(source)));
      const nextTls = listenerTls(next);
      locator.reload({
        origins: next.origins,
        ...(nextTls.public ? { publicTls: nextTls.public } : {}),
        ...(nextTls.internal ? { internalTls: nextTls.internal } : {}),
      });
      for (const family of families) {
        const source = sources.find(({ name }) => name === family.name);
        if (source && family.reload(source))
          logger.info({ family: family.name, newest: family.newest.kid }, 'keys changed');
      }
      setLogLevel(logger, next.logLevel);
    },
  };
}
