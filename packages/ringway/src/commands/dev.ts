import { createLogger, isLoopback, runUntilSignal } from '@ringway/service';
import type { Command, Terminal } from '../command.ts';
import { MAX_NODES } from '../dev/cluster.ts';
import { DEV_PORT, DevSystem } from '../dev/system.ts';
import { ownCommand } from '../own-command.ts';
import { UsageError } from '../usage-error.ts';

/** `ringway dev` */
export const dev: Command = {
  name: 'dev',
  positionals: [],
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
    verbose: { type: 'boolean', help: 'Log what goes on inside.' },
  },
  notes: () =>
    'No authentication: everyone is who they say they are, and may do everything. No Consul; nothing is kept.',
  async run(args, terminal) {
    const nodes = args.integer('nodes', 1, MAX_NODES) ?? 3;
    const port = args.integer('port', 0, 65_535);
    const host = args.text('host') ?? '127.0.0.1';
    if (!isLoopback(host)) {
      throw new UsageError(`--host ${host}: expected a loopback address, since nobody has to log in`, 'dev');
    }
    const logger = createLogger({ name: 'dev', level: args.flag('verbose') ? 'debug' : 'warn' });
    const system = new DevSystem({ nodes, port, host, logger });
    system.onStateChange((state) => {
      if (state === 'Running') announce(system, terminal);
    });
    return runUntilSignal(system, { logger });
  },
};

function announce({ url, cluster }: DevSystem, terminal: Terminal): void {
  if (cluster === undefined) return;
  cluster.on('event', ({ text }) => terminal.out(`  ${text}\n`));
  const ringway = ownCommand(process.cwd());
  terminal.out(`
Ringway runs: one locator, ${cluster.state.members.length} nodes, all in this process.

  Open     ${url}
  in two windows, take two names, and talk. Ctrl-C ends it.

  For the other commands, in another terminal:
  export RINGWAY_CLUSTER_KEYS=${cluster.clusterKeys}
  ${ringway} route alice --locator ${url}
  ${ringway} ring --locator ${cluster.locator.internalUrl}
  ${ringway} push alice '{"text":"hello"}' --locator ${cluster.locator.internalUrl}

`);
}
