import { mintClusterToken } from '@ringway/service';
import { backendNotes, readBackend } from '../backend-settings.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../usage-error.ts';

const SCOPES = ['peer', 'push', 'admin'] as const;

/** `ringway token` */
export const token: Command = {
  name: 'token',
  positionals: [],
  options: {
    scope: {
      type: 'string',
      value: 'SCOPE',
      help: `What it lets its bearer do: ${SCOPES.join(', ')}. Default push.`,
    },
    aud: { type: 'string', value: 'NAME', help: 'Who is meant: a node id, or locator. Default locator.' },
    sub: { type: 'string', value: 'NAME', help: 'Who speaks; messages come from service:NAME. Default cli.' },
    ttl: { type: 'string', value: 'SECONDS', help: 'How long it holds, at most 3600. Default 60.' },
  },
  notes: () =>
    `Example:\n  curl -H "Authorization: Bearer $(ringway token)" 'http://127.0.0.1:8081/owner?userId=alice'\n\n${backendNotes()}`,
  async run(args, terminal) {
    const given = args.text('scope') ?? 'push';
    const scope = SCOPES.find((each) => each === given);
    if (scope === undefined)
      throw new UsageError(`--scope ${given}: expected one of ${SCOPES.join(', ')}`, 'token');
    const ttlSeconds = args.integer('ttl', 1, 3600) ?? 60;
    const { cluster, keys } = readBackend(terminal.env);
    const sub = args.text('sub') ?? 'cli';
    const aud = args.text('aud') ?? 'locator';
    terminal.out(`${mintClusterToken(keys, { iss: cluster, sub, aud, scope, ttlSeconds })}\n`);
    return 0;
  },
};
