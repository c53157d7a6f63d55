import { locatorSource, type PublishResult, PushError, RingwayPush, rawJson } from '@ringway/push';
import { backendNotes, readBackend } from '../backend-settings.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../usage-error.ts';

/** `ringway push` */
export const push: Command = {
  name: 'push',
  positionals: ['USER', 'JSON'],
  options: {
    locator: {
      type: 'string',
      multiple: true,
      value: 'URL',
      help: 'Internal listener of a locator; may be repeated. Default http://127.0.0.1:8081.',
    },
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
    const urls = args.urls('locator', 'http://127.0.0.1:8081');
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
    const to = args.flag('channel') ? args.positional(0) : `user:${args.positional(0)}`;
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
