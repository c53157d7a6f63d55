import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';

export type { Logger } from 'pino';

/** Levels of the log, least first. */
export const LOG_LEVELS = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
  'silent',
] as const satisfies readonly LevelWithSilent[];

/** A level of the log. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** How {@link createLogger} writes. */
export interface LoggerOptions {
  /** Which part of the system speaks. */
  readonly name: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Lines for people instead of JSON; by default when standard output is a terminal. */
  readonly pretty?: boolean;
  /** Default standard output. */
  readonly destination?: DestinationStream;
}

const TOKEN = /eyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g;
const TICKET_PARAMETER = /([?&](?:ticket|token|access_token)=)[^&"\s\\]+/g;

/** The text without anything that looks like a token or a ticket. */
export function redact(text: string): string {
  return text.replace(TOKEN, '[token]').replace(TICKET_PARAMETER, '$1[token]');
}

const children = new WeakMap<Logger, WeakRef<Logger>[]>();

/**
 * A logger that writes one JSON object a line (or readable lines on a terminal). Every line is searched for tokens
 * before it is written, wherever in it they stand: no caller has to remember to leave them out.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { name, level = 'info', pretty = process.stdout.isTTY === true, destination } = options;
  const born: WeakRef<Logger>[] = [];
  const plain = destination ?? pino.destination({ dest: 1, sync: true });
  // pino-pretty's formatter, not its stream: what was logged before an exit has been written by then
  const format = pretty ? prettyFactory({ colorize: true, ignore: 'pid,hostname' }) : undefined;
  const output = format ? { write: (line: string) => plain.write(format(line)) } : plain;
  const root = pino(
    {
      name,
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
      onChild: (child) => {
        born.push(new WeakRef(child));
      },
    },
    output,
  );
  children.set(root, born);
  return root;
}

/** Sets the level of a logger made by {@link createLogger} and of all its children, which pino leaves as they were. */
export function setLogLevel(root: Logger, level: LogLevel): void {
  root.level = level;
  for (const ref of children.get(root) ?? []) {
    const child = ref.deref();
    if (child) child.level = level;
  }
}
