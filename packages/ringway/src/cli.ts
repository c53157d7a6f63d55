import { PushError } from '@ringway/push';
import { SettingsError } from '@ringway/service';
import { type Command, commandHelp, oneOf, readArguments, type Terminal } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Loaded when asked for, so that `ringway route` does not wait for a web server to load. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  dev: async () => (await import('./commands/dev.ts')).dev,
  locator: async () => (await import('./commands/locator.ts')).locator,
  node: async () => (await import('./commands/node.ts')).node,
  ring: async () => (await import('./commands/ring.ts')).ring,
  route: async () => (await import('./commands/route.ts')).route,
  push: async () => (await import('./commands/push.ts')).push,
  token: async () => (await import('./commands/token.ts')).token,
  version: async () => (await import('./commands/version.ts')).version,
};

/** Names of all commands, in the order of the help. */
export const commandNames: readonly string[] = Object.freeze(Object.keys(COMMANDS));

/**
 * Runs one command line, without the program's own name.
 * @returns the exit status: 0 done, 1 failed, 2 the command line or a setting is wrong
 */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = argv;
  try {
    if (name === undefined) {
      terminal.err(await overview());
      return 2;
    }
    if (['help', '--help', '-h'].includes(name)) {
      terminal.out(rest[0] === undefined ? await overview() : commandHelp(await load(rest[0])));
      return 0;
    }
    const command = await load(name === '--version' || name === '-v' ? 'version' : name);
    const args = readArguments(command, rest);
    if (args !== undefined) return await command.run(args, terminal);
    terminal.out(commandHelp(command));
    return 0;
  } catch (error) {
    return report(error, terminal);
  }
}

async function load(name: string): Promise<Command> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined) return command();
  const what = name.startsWith('-') ? 'option' : 'command';
  throw new UsageError(`unknown ${what} ${name}: expected ${oneOf(commandNames)}`);
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((each) => each()));
  const width = Math.max(...commands.map(({ name }) => name.length));
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `ringway COMMAND [options]\n\nCommands:\n${rows.join('\n')}\n\nringway COMMAND --help tells more.\n`;
}

function report(error: unknown, terminal: Terminal): number {
  if (error instanceof UsageError) {
    const { command } = error;
    terminal.err(`ringway${command ? ` ${command}` : ''}: ${error.message}\n`);
    terminal.err(`ringway ${command ? `${command} ` : ''}--help tells more.\n`);
    return 2;
  }
  if (error instanceof SettingsError) {
    terminal.err(`ringway: ${error.message}\n`);
    return 2;
  }
  if (error instanceof PushError) {
    terminal.err(`ringway: ${error.code}: ${error.message}${causeOf(error)}\n`);
    return 1;
  }
  terminal.err(`ringway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

function causeOf({ cause }: Error): string {
  return cause instanceof Error && cause.message !== '' ? ` (${cause.message})` : '';
}
