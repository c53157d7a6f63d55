import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Setting } from './setting.ts';
import { type SettingProblem, SettingsError } from './settings-error.ts';

/** Rows by the name that the program gives the value. Make one `as const` or let it be inferred. */
export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;

/** The values that a table describes. */
export type ValuesOf<T extends SettingsTable> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never;
};

/** The variables of a process, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where {@link loadEnvironment} finds further settings. */
export const SETTINGS_FILE = 'RINGWAY_SETTINGS_FILE';

/**
 * The environment, with the variables of the file that `RINGWAY_SETTINGS_FILE` names (`NAME=value` lines) below it: a
 * variable that the process was started with wins. SIGHUP calls this again; since a process cannot see its own
 * environment change, what shall be changed without a restart belongs into that file.
 *
 * @throws SettingsError when the file cannot be read.
 */
export function loadEnvironment(env: Environment): Environment {
  const file = env[SETTINGS_FILE];
  if (!file) return env;
  return { ...parseEnv(readSettingFile(SETTINGS_FILE, file)), ...env };
}

function readSettingFile(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SettingsError([{ name, given: file, expected: 'a file that can be read' }], { cause });
  }
}

/** What {@link readSettings} allows beside the table. */
export interface ReadOptions {
  /** Names of other tables: one environment may serve several commands. */
  readonly alsoKnown?: readonly string[];
}

/** Every variable that the tables know, `*_FILE` of secrets among them. */
export function settingNames(...tables: readonly SettingsTable[]): string[] {
  return tables.flatMap((table) =>
    Object.values(table).flatMap((row) => (row.secret ? [row.name, `${row.name}_FILE`] : [row.name])),
  );
}

/**
 * Reads a table's settings from an environment. An empty variable counts as absent.
 *
 * @throws SettingsError with every bad setting, and every `RINGWAY_*` variable that nobody knows.
 */
export function readSettings<T extends SettingsTable>(
  table: T,
  env: Environment,
  options: ReadOptions = {},
): Readonly<ValuesOf<T>> {
  const problems: SettingProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, row] of Object.entries(table)) {
    values[key] = readOne(row, env, problems);
  }
  problems.push(...unknownSettings(env, [...settingNames(table), ...(options.alsoKnown ?? [])]));
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.freeze(values) as Readonly<ValuesOf<T>>;
}

function readOne(row: Setting<unknown>, env: Environment, problems: SettingProblem[]): unknown {
  let text = env[row.name]?.trim() || undefined;
  const file = row.secret ? env[`${row.name}_FILE`] || undefined : undefined;
  if (file !== undefined) {
    if (text !== undefined) {
      problems.push({ name: row.name, expected: `either this or ${row.name}_FILE, not both` });
      return undefined;
    }
    try {
      text = readSettingFile(`${row.name}_FILE`, file).trim();
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  }
  if (text === undefined) {
    if (row.required) problems.push({ name: row.name, expected: `${row.expected} (it is required)` });
    return row.fallback;
  }
  const parsed = row.parse(text, file === undefined ? {} : { file });
  if ('value' in parsed) return parsed.value;
  problems.push(
    row.secret
      ? { name: row.name, expected: parsed.expected }
      : { name: row.name, given: text, expected: parsed.expected },
  );
  return undefined;
}

// Kubernetes puts variables like these into every container for a Service whose name begins with "ringway".
const SERVICE_LINK =
  /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

function unknownSettings(env: Environment, known: readonly string[]): SettingProblem[] {
  const names = new Set([...known, SETTINGS_FILE]);
  return Object.keys(env)
    .filter((name) => name.startsWith('RINGWAY_') && !names.has(name) && !SERVICE_LINK.test(name))
    .filter((name) => env[name]?.trim())
    .sort()
    .map((name) => {
      const near = nearest(name, [...names]);
      return { name, expected: near ? `no such setting; did you mean ${near}?` : 'no such setting' };
    });
}

/** The candidate with the least edits to the name, when there are few enough for it to be a slip of the pen. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor((name.length - 'RINGWAY_'.length) / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(name, candidate);
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swap, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    above = row;
  }
  return above[b.length] ?? 0;
}

/** What SIGHUP may take over and what would need a restart: names of the program's, of settings that differ. */
export interface SettingsChange {
  readonly reloadable: readonly string[];
  readonly needRestart: readonly string[];
}

/** Compares two readings of one table. */
export function settingsChange<T extends SettingsTable>(
  table: T,
  before: Readonly<ValuesOf<T>>,
  after: Readonly<ValuesOf<T>>,
): SettingsChange {
  const differ = Object.keys(table).filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  return {
    reloadable: differ.filter((key) => table[key]?.reload),
    needRestart: differ.filter((key) => !table[key]?.reload),
  };
}
