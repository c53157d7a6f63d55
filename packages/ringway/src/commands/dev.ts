import { createLogger, isLoopback, runUntilSignal, setting, settingNames } from '@ringway/service';
import { backendSettings, readOwnSettings } from '../backend-settings.ts';
import type { Arguments, Command, Terminal } from '../command.ts';
import { MAX_NODES, secret } from '../dev/cluster.ts';
import { DEV_PORT, DevSystem } from '../dev/system.ts';
import { ownCommand } from '../own-command.ts';
import { locatorTable, nodeTable } from '../tables.ts';
import { UsageError } from '../usage-error.ts';

const tokenSettings = Object.freeze({
  authKeys: setting.keys('RINGWAY_AUTH_KEYS', {
    help: 'For --tokens: secrets by which users’ tokens are signed.',
  }),
});

/** What a command beside it may need: these are said by `ringway dev` itself, or are read by --tokens. */
const OWN_NAMES = settingNames(tokenSettings, backendSettings);

/** `ringway dev` */
export const dev: Command = {
  name: 'dev',
  positionals: [],
  rest: 'COMMAND...',
  options: {
    nodes: {
      type: 'string',
      value: 'N',
      help: `How many nodes to begin with, 1 to ${MAX_NODES}. Default 3.`,
    },
    port: {
      type: 'string',
      value: 'PORT',
      help: `Port of the page, 0 for a free one. Default ${DEV_PORT}, or the next that is free.`,
    },
    host: { type: 'string', value: 'HOST', help: 'Loopback address of the page. Default 127.0.0.1.' },
    origin: {
      type: 'string',
      multiple: true,
      value: 'ORIGIN',
      help: 'Another page on this machine that may use the cluster, http://127.0.0.1:3000; may be repeated.',
    },
    tokens: {
      type: 'boolean',
      help: 'Users need tokens, signed with RINGWAY_AUTH_KEYS (a new secret when it is not set).',
    },
    verbose: { type: 'boolean', help: 'Log what goes on inside.' },
  },
  notes: () =>
    `Without --tokens everyone is who they say they are, and may do everything. No Consul; nothing is kept. The router is
ring and the log is in memory, whatever RINGWAY_* say: for others start ringway node.

COMMAND runs beside it, and the end of one is the end of both. In its environment it finds LOCATOR_URL (for clients),
LOCATOR_INTERNAL_URL (for backends), RINGWAY_CLUSTER_KEYS, RINGWAY_INGEST_LOCATORS and, with --tokens, RINGWAY_AUTH_KEYS:
  ringway dev -- npm test`,
  async run(args, terminal) {
    const nodes = args.integer('nodes', 1, MAX_NODES) ?? 3;
    const port = args.integer('port', 0, 65_535);
    const host = args.text('host') ?? '127.0.0.1';
    if (!isLoopback(host)) {
      throw new UsageError(`--host ${host}: expected a loopback address, since nobody has to log in`, 'dev');
    }
    const origins = readOrigins(args);
    const authKeys = args.flag('tokens') ? authKeysOf(terminal) : undefined;
    warnOfUnused(terminal);
    const logger = createLogger({ name: 'dev', level: args.flag('verbose') ? 'debug' : 'warn' });
    const system = new DevSystem({ nodes, port, host, origins, authKeys, logger });
    const { rest } = args;
    let exitCode = 0;
    system.onStateChange((state) => {
      if (state !== 'Running') return;
      announce(system, terminal, rest !== undefined);
      if (rest === undefined) return;
      void system.accompany(rest).then((status) => {
        exitCode = status;
        return system.stop();
      });
    });
    return runUntilSignal(system, { logger, exitCode: () => exitCode });
  },
};

/** @throws UsageError when one is not the origin of a page on this machine */
function readOrigins(args: Arguments): readonly string[] {
  const origins = args.texts('origin');
  for (const origin of origins) {
    const url = URL.parse(origin);
    if (url?.origin !== origin || !isLoopback(url.hostname))
      throw new UsageError(`--origin ${origin}: expected one on loopback, like http://127.0.0.1:3000`, 'dev');
  }
  return origins;
}

/** Whoever has set what locators and nodes read would believe that it holds here. */
function warnOfUnused({ env, err }: Terminal): void {
  const unused = settingNames(locatorTable, nodeTable).filter(
    (name) => env[name]?.trim() && !OWN_NAMES.includes(name),
  );
  if (unused.length === 0) return;
  const names = [...new Set(unused)].sort().join(', ');
  err(
    `ringway dev: not used here: ${names}. It is always router ring and memory; for others start ringway node\n`,
  );
}

/** @throws SettingsError */
function authKeysOf({ env }: Terminal): string {
  return readOwnSettings(tokenSettings, env).authKeys?.text ?? secret();
}

function announce({ url, cluster }: DevSystem, terminal: Terminal, accompanied: boolean): void {
  if (cluster === undefined) return;
  const count = cluster.state.members.length;
  const nodes = `${count} node${count === 1 ? '' : 's'}`;
  if (accompanied) {
    terminal.out(`Ringway runs: one locator, ${nodes}; see ${url}\n\n`);
    return;
  }
  cluster.on('event', ({ text }) => terminal.out(`  ${text}\n`));
  const ringway = ownCommand(process.cwd());
  const { environment } = cluster;
  const tokens = environment['RINGWAY_AUTH_KEYS'] !== undefined;
  const exports = Object.entries(environment).map(([name, value]) => `  export ${name}=${value}`);
  terminal.out(`
Ringway runs: one locator, ${nodes}, all in this process.

  Open     ${url}
  ${tokens ? 'to see the ring' : 'in two windows, take two names, and talk'}. Ctrl-C ends it.

  For the other commands, and for examples, in another terminal:
${exports.join('\n')}
  ${ringway} route alice${tokens ? ` --token "$(${ringway} token --user alice)"` : ''}
  ${ringway} ring
  ${ringway} push alice '{"text":"hello"}'

`);
}
