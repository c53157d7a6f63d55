import { type Command, commandHelp, oneOf, readArguments, type Terminal } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Loaded when asked for, so that `ringway route` does not wait for a web server to load. */
const COMMANDS: Readonly<Record<string, { readonly summary: string; load(): Promise<Command> }>> = {
  dev: {
    summary:
      'Run the whole system in this process, with a page to try it: for development, on this machine alone.',
    load: async () => (await import('./commands/dev.ts')).dev,
  },
  locator: {
    summary: 'Run a locator: it tells clients and backends which node owns a user.',
    load: async () => (await import('./commands/locator.ts')).locator,
  },
  node: {
    summary: 'Run a node: it holds clients’ sessions and carries their messages.',
    load: async () => (await import('./commands/node.ts')).node,
  },
  ingest: {
    summary: 'Publish what comes from a queue: Redis Streams, Kafka or RabbitMQ.',
    load: async () => (await import('./commands/ingest.ts')).ingest,
  },
  ring: {
    summary: 'Show the ring: its members, their state, and the share of the keys that each of them owns.',
    load: async () => (await import('./commands/ring.ts')).ring,
  },
  drain: {
    summary: 'Take a node out of service: its sessions move to the others, then its process ends.',
    load: async () => (await import('./commands/drain.ts')).drain,
  },
  route: {
    summary: 'Ask a locator for a user’s node, as a client does.',
    load: async () => (await import('./commands/route.ts')).route,
  },
  push: {
    summary: 'Publish a message to a user, as a backend does: straight to the node that owns the user.',
    load: async () => (await import('./commands/push.ts')).push,
  },
  group: {
    summary: 'Put users into a group, take them out, or list whom backends have put in.',
    load: async () => (await import('./commands/group.ts')).group,
  },
  token: {
    summary: 'Print a short cluster token, for curl and the like.',
    load: async () => (await import('./commands/token.ts')).token,
  },
  version: {
    summary: 'Print the versions of Ringway, of its protocol and of its ring format.',
    load: async () => (await import('./commands/version.ts')).version,
  },
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
      terminal.err(overview());
      return 2;
    }
    if (['help', '--help', '-h'].includes(name)) {
      terminal.out(rest[0] === undefined ? overview() : await help(rest[0]));
      return 0;
    }
    const command = await load(name === '--version' || name === '-v' ? 'version' : name);
    const args = readArguments(command, rest);
    if (args !== undefined) return await command.run(args, terminal);
    terminal.out(await help(command.name));
    return 0;
  } catch (error) {
    return await report(error, terminal);
  }
}

async function load(name: string): Promise<Command> {
  return row(name).load();
}

async function help(name: string): Promise<string> {
  const { summary, load } = row(name);
  return commandHelp(await load(), summary);
}

function row(name: string) {
  const found = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (found !== undefined) return found;
  const what = name.startsWith('-') ? 'option' : 'command';
  throw new UsageError(`unknown ${what} ${name}: expected ${oneOf(commandNames)}`);
}

function overview(): string {
  const width = Math.max(...commandNames.map((name) => name.length));
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `ringway COMMAND [options]\n\nCommands:\n${rows.join('\n')}\n\nringway COMMAND --help tells more.\n`;
}

async function report(error: unknown, terminal: Terminal): Promise<number> {
  if (error instanceof UsageError) {
    const { command } = error;
    terminal.err(`ringway${command ? ` ${command}` : ''}: ${error.message}\n`);
    terminal.err(`ringway ${command ? `${command} ` : ''}--help tells more.\n`);
    return 2;
  }
  // whoever threw one of these has loaded its package
  const { SettingsError } = await import('@ringway/service');
  if (error instanceof SettingsError) {
    terminal.err(`ringway: ${error.message}\n`);
    return 2;
  }
  const { PushError } = await import('@ringway/push');
  if (error instanceof PushError) {
    terminal.err(`ringway: ${error.code}: ${error.message}${causeOf(error)}\n`);
    return 1;
  }
  terminal.err(`ringway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

/** What the cause has to add. */
function causeOf({ cause, message }: Error): string {
  return cause instanceof Error && !message.includes(cause.message) ? ` (${cause.message})` : '';
}
