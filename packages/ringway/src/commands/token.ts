import { capabilitiesProblem } from '@ringway/protocol';
import { KeyFamily, mintClusterToken, setting, settingsHelp, signCompact } from '@ringway/service';
import { backendNotes, readBackend, readOwnSettings } from '../backend-settings.ts';
import type { Arguments, Command, Terminal } from '../command.ts';
import { UsageError } from '../usage-error.ts';

const SCOPES = ['peer', 'push', 'admin'] as const;

const EVERYTHING = { publish: ['*'], join: ['*'], presence: ['*'] };

const userSettings = Object.freeze({
  authKeys: setting.keys('RINGWAY_AUTH_KEYS', {
    required: true,
    help: 'For --user: secrets by which users’ tokens are signed. The newest comes first and signs.',
  }),
});

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
    user: { type: 'string', value: 'USER', help: 'A user’s token instead, as your application signs them.' },
    cap: { type: 'string', value: 'JSON', help: 'With --user: what the user may do. Default only receive.' },
    all: { type: 'boolean', help: 'With --user: the user may do everything.' },
    ttl: {
      type: 'string',
      value: 'SECONDS',
      help: 'How long it holds, at most 3600. Default 60, of a user’s 3600.',
    },
  },
  notes: () =>
    `Examples:\n  curl -H "Authorization: Bearer $(ringway token)" 'http://127.0.0.1:8081/owner?userId=alice'\n  ringway route alice --token "$(ringway token --user alice)"\n\n${backendNotes()}\n\nWith --user, instead of these:\n${settingsHelp(userSettings)}`,
  async run(args, terminal) {
    const user = args.text('user');
    if (user !== undefined) {
      terminal.out(`${userToken(user, args, terminal)}\n`);
      return 0;
    }
    for (const option of ['cap', 'all']) {
      if (args.text(option) !== undefined || args.flag(option))
        throw new UsageError(`--${option}: expected only with --user`, 'token');
    }
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

/** A JWT such as an application makes for its users: `sub`, `exp` and, where it is given, `cap`. */
function userToken(sub: string, args: Arguments, terminal: Terminal): string {
  for (const option of ['scope', 'aud', 'sub']) {
    if (args.text(option) !== undefined)
      throw new UsageError(`--${option}: expected only without --user`, 'token');
  }
  const cap = readCapabilities(args);
  const ttlSeconds = args.integer('ttl', 1, 3600) ?? 3600;
  const keys = new KeyFamily(readOwnSettings(userSettings, terminal.env).authKeys);
  const exp = Math.floor(Date.now() / 1000) + ttlSeconds;
  return signCompact(keys, 'JWT', JSON.stringify({ sub, exp, cap }));
}

function readCapabilities(args: Arguments): unknown {
  const text = args.text('cap');
  if (args.flag('all')) {
    if (text !== undefined) throw new UsageError('--all: expected only without --cap', 'token');
    return EVERYTHING;
  }
  if (text === undefined) return undefined;
  let cap: unknown;
  try {
    cap = JSON.parse(text);
  } catch {
    throw new UsageError(`--cap ${text}: expected JSON, such as '{"publish":["user:*"]}'`, 'token');
  }
  const problem = capabilitiesProblem(cap);
  if (problem !== undefined) throw new UsageError(`--cap ${text}: ${problem}`, 'token');
  return cap;
}
