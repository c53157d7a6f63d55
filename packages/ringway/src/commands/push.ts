import { isChannel } from '@ringway/protocol';
import { locatorSource, type PublishResult, PushError, RingwayPush, rawJson } from '@ringway/push';
import { backendNotes, readBackend } from '../backend-settings.ts';
import type { Arguments, Command, Terminal } from '../command.ts';
import { internalLocators, internalUrls } from '../locator-option.ts';
import { UsageError } from '../usage-error.ts';

/** `ringway push` */
export const push: Command = {
  name: 'push',
  positionals: ['USER', 'JSON'],
  options: {
    locator: internalLocators,
    id: {
      type: 'string',
      value: 'ID',
      help: 'Id of the message; the same id is stored once. Default random.',
    },
    ephemeral: { type: 'boolean', help: 'Sent at most once, not stored.' },
    channel: {
      type: 'boolean',
      help: 'USER is a whole channel: user:ID, group:NAME, or all, which every session is in.',
    },
    as: {
      type: 'string',
      value: 'NAME',
      help: 'Name of the backend; the message comes from service:NAME. Default cli.',
    },
    timeout: { type: 'string', value: 'SECONDS', help: 'How long to try. Default 10.' },
    json: { type: 'boolean', help: 'Print the answer as JSON.' },
  },
  notes: backendNotes,
  async run(args, terminal) {
    const urls = internalUrls(args, terminal);
    const seconds = args.integer('timeout', 1, 3600) ?? 10;
    const data = readData(args.positional(1));
    const { cluster, keyText } = readBackend(terminal.env);
    const ringway = new RingwayPush({
      source: locatorSource({ urls }),
      name: args.text('as') ?? 'cli',
      clusterKeys: keyText,
      cluster,
      timeoutMs: seconds * 1000,
    });
    const id = args.text('id');
    const to = target(args, terminal);
    try {
      const result = await ringway.publish(to, data, {
        ephemeral: args.flag('ephemeral'),
        ...(id !== undefined && { id }),
      });
      terminal.out(args.flag('json') ? `${JSON.stringify(result)}\n` : describe(result));
      return 0;
    } finally {
      await ringway.close();
    }
  },
};

/** A user may be called so: it is done, and said. */
function target(args: Arguments, terminal: Terminal): string {
  const name = args.positional(0);
  if (args.flag('channel')) return name;
  if (isChannel(name))
    terminal.err(
      `ringway push: to the user ${JSON.stringify(name)}; for the channel ${name} add --channel\n`,
    );
  return `user:${name}`;
}

function readData(text: string) {
  try {
    return rawJson(text);
  } catch (error) {
    if (!(error instanceof PushError)) throw error;
    throw new UsageError(
      `JSON ${JSON.stringify(text)}: expected JSON, such as '{"hello":1}' or '"hello"' with its quotes`,
      'push',
    );
  }
}

function describe({ id, reached, position, duplicate }: PublishResult): string {
  const place = position === undefined ? '' : `, position ${position.seq} of epoch ${position.epoch}`;
  const again = duplicate ? ', was there already' : '';
  return `published ${id}: reached ${reached} session${reached === 1 ? '' : 's'}${place}${again}\n`;
}
