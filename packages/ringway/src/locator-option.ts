import type { Arguments, Fallback, OptionRow, Terminal } from './command.ts';

/** Where a listener of a locator is, when no option says it. The variables are those that `ringway dev` prints. */
interface Listener {
  readonly what: string;
  readonly variable: string;
  readonly usual: string;
}

const PUBLIC: Listener = {
  what: 'Public listener of a locator',
  variable: 'LOCATOR_URL',
  usual: 'http://127.0.0.1:8080',
};

const INTERNAL: Listener = {
  what: 'Internal listener of a locator',
  variable: 'LOCATOR_INTERNAL_URL',
  usual: 'http://127.0.0.1:8081',
};

/** `--locator`, for what clients ask. */
export const publicLocator = option(PUBLIC);
/** `--locator`, for what backends ask. */
export const internalLocator = option(INTERNAL);
/** The same, repeatable. */
export const internalLocators: OptionRow = option(INTERNAL, true);

function option({ what, variable, usual }: Listener, multiple = false): OptionRow {
  const repeated = multiple ? '; may be repeated' : '';
  return {
    type: 'string',
    multiple,
    value: 'URL',
    help: `${what}${repeated}. Default ${variable}, else ${usual}.`,
  };
}

/** @throws UsageError when it is not an http or https URL */
export function publicUrl(args: Arguments, terminal: Terminal): string {
  return args.url('locator', fallback(PUBLIC, terminal));
}

/** @throws UsageError when it is not an http or https URL */
export function internalUrl(args: Arguments, terminal: Terminal): string {
  return args.url('locator', fallback(INTERNAL, terminal));
}

/** @throws UsageError when one is not an http or https URL */
export function internalUrls(args: Arguments, terminal: Terminal): readonly string[] {
  return args.urls('locator', fallback(INTERNAL, terminal));
}

function fallback({ variable, usual }: Listener, { env }: Terminal): Fallback {
  return { name: variable, text: env[variable]?.trim() || usual };
}
