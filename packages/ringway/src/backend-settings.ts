import {
  type Environment,
  KeyFamily,
  loadEnvironment,
  readSettings,
  type SettingsTable,
  settingsHelp,
  sharedSettings,
  type ValuesOf,
} from '@ringway/service';

const { cluster, clusterKeys } = sharedSettings;

/** Settings of the commands that speak to a cluster as a backend does. */
export const backendSettings = Object.freeze({ cluster, clusterKeys });

/** Reads one table from an environment that may also hold the settings of other commands. @throws SettingsError */
export function readOwnSettings<T extends SettingsTable>(table: T, env: Environment): Readonly<ValuesOf<T>> {
  const loaded = loadEnvironment(env);
  return readSettings(table, loaded, { alsoKnown: Object.keys(loaded) });
}

/** The cluster's name and keys from the environment. @throws SettingsError */
export function readBackend(env: Environment): {
  readonly cluster: string;
  readonly keys: KeyFamily;
  readonly keyText: string;
} {
  const settings = readOwnSettings(backendSettings, env);
  return {
    cluster: settings.cluster,
    keys: new KeyFamily(settings.clusterKeys),
    keyText: settings.clusterKeys.text,
  };
}

/** What their help says about them. */
export function backendNotes(): string {
  return `Settings (environment):\n${settingsHelp(backendSettings)}`;
}
