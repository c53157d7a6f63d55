import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { UsageError } from './usage-error.ts';

/** Where a command reads from and writes to. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** One option of a command, as its help shows it. */
export interface OptionRow {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  /** What the value stands for: `URL`, `N`. */
  readonly value?: string;
  readonly help: string;
}

export type OptionRows = Readonly<Record<string, OptionRow>>;

/** One command of `ringway`. */
export interface Command {
  readonly name: string;
  /** Positional arguments, as the first line of the help shows them: `USER JSON`. */
  readonly positionals: readonly string[];
  readonly options: OptionRows;
  /** What may stand behind `--`, as the help shows it: `COMMAND...`. */
  readonly rest?: string;
  /** What stands behind the options in the help. */
  notes?(): string;
  /** @returns the exit status; a command that runs until a signal never returns. */
  run(args: Arguments, terminal: Terminal): Promise<number>;
}

/** What holds where an option is left out, and by which name to complain of it. */
export interface Fallback {
  readonly name: string;
  readonly text: string;
}

/** What stands on the command line. */
export class Arguments {
  readonly command: string;
  readonly positionals: readonly string[];
  /** What stands behind `--`; undefined without it. */
  readonly rest: readonly string[] | undefined;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(
    command: string,
    positionals: readonly string[],
    values: Readonly<Record<string, unknown>>,
    rest?: readonly string[],
  ) {
    this.command = command;
    this.positionals = positionals;
    this.#values = values;
    this.rest = rest;
  }

  /** A positional argument that the command requires, and so has. */
  positional(at: number): string {
    return this.positionals[at] ?? '';
  }

  text(option: string): string | undefined {
    const value = this.#values[option];
    return typeof value === 'string' ? value : undefined;
  }

  texts(option: string): readonly string[] {
    const value = this.#values[option];
    return Array.isArray(value) ? value.map(String) : [];
  }

  flag(option: string): boolean {
    return this.#values[option] === true;
  }

  /** @throws UsageError when it is given and not an integer of the range */
  integer(option: string, min: number, max: number): number | undefined {
    const text = this.text(option);
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(`--${option} ${text}: expected an integer from ${min} to ${max}`, this.command);
  }

  /** @throws UsageError when it is not an http or https URL */
  url(option: string, fallback: Fallback): string {
    const text = this.text(option);
    return checkUrl(text === undefined ? fallback : { name: `--${option}`, text }, this.command);
  }

  /** @throws UsageError when one is not an http or https URL */
  urls(option: string, fallback: Fallback): readonly string[] {
    const given = this.texts(option).flatMap((text) => text.split(','));
    const named = given.map((text) => ({ name: `--${option}`, text }));
    return (named.length === 0 ? [fallback] : named).map((each) => checkUrl(each, this.command));
  }
}

function checkUrl({ name, text }: Fallback, command: string): string {
  const protocol = URL.parse(text)?.protocol;
  if (protocol === 'http:' || protocol === 'https:') return text.replace(/\/+$/, '');
  throw new UsageError(`${name} ${text}: expected a URL that begins with http:// or https://`, command);
}

const HELP: OptionRow = { type: 'boolean', help: 'Print this and exit.' };

/** Reads a command's arguments; undefined when they ask for help. @throws UsageError */
export function readArguments(command: Command, argv: readonly string[]): Arguments | undefined {
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } };
  for (const [name, { type, multiple = false }] of Object.entries(command.options))
    options[name] = { type, multiple };
  const end = command.rest === undefined ? -1 : argv.indexOf('--');
  const rest = end < 0 ? undefined : argv.slice(end + 1);
  const { values, positionals, tokens } = parse(command, end < 0 ? argv : argv.slice(0, end), options);
  if (values['help'] === true) return undefined;
  for (const token of tokens) {
    if (token.kind === 'option') checkOption(command, token.name, token.rawName, token.value);
  }
  const required = command.positionals.length;
  if (positionals.length !== required) {
    const expected = required === 0 ? 'no arguments' : command.positionals.join(' ');
    const given =
      positionals.length === 0 ? 'nothing' : positionals.map((text) => JSON.stringify(text)).join(' ');
    throw new UsageError(`expected ${expected}, got ${given}`, command.name);
  }
  if (rest?.length === 0) throw new UsageError(`--: expected ${command.rest} behind it`, command.name);
  return new Arguments(command.name, positionals, values, rest);
}

function parse(command: Command, argv: readonly string[], options: ParseArgsOptionsConfig) {
  try {
    // not strict: its messages do not say what was expected
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: false, tokens: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), command.name);
  }
}

function checkOption(command: Command, name: string, rawName: string, value: string | undefined): void {
  const row = name === 'help' ? HELP : command.options[name];
  if (row === undefined) {
    const known = [...Object.keys(command.options), 'help'].map((option) => `--${option}`);
    throw new UsageError(`unknown option ${rawName}: expected ${oneOf(known)}`, command.name);
  }
  if (row.type === 'string' && (value === undefined || value === '')) {
    throw new UsageError(`${rawName}: expected a value (${row.value ?? 'TEXT'})`, command.name);
  }
  if (row.type === 'boolean' && value !== undefined) {
    throw new UsageError(`${rawName}: takes no value, got ${JSON.stringify(value)}`, command.name);
  }
}

/** `a`, `a or b`, `one of a, b, c`. */
export function oneOf(items: readonly string[]): string {
  return items.length > 2 ? `one of ${items.join(', ')}` : items.join(' or ');
}

/** What `ringway COMMAND --help` prints. */
export function commandHelp(command: Command, summary: string): string {
  const rest = command.rest === undefined ? [] : [`[-- ${command.rest}]`];
  const usage = ['ringway', command.name, ...command.positionals, '[options]', ...rest].join(' ');
  const rows = Object.entries({ ...command.options, help: HELP }).map(
    ([name, { type, value, help }]) =>
      [`--${name}${type === 'string' ? ` ${value ?? 'TEXT'}` : ''}`, help] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  const options = rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`).join('\n');
  const notes = command.notes?.();
  return `${usage}\n\n${summary}\n\nOptions:\n${options}\n${notes === undefined ? '' : `\n${notes}\n`}`;
}
