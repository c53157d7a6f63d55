import type { MemberEntry, Watching } from '@ringway/membership';
import { HTTP, type RingDocument } from '@ringway/protocol';
import { buildRing, RING_FORMAT } from '@ringway/ring';
import { mintClusterToken, settingsHelp } from '@ringway/service';
import { backendNotes, readBackend, readOwnSettings } from '../backend-settings.ts';
import type { Command, Terminal } from '../command.ts';
import { fetchFailure } from '../fetch-failure.ts';
import { consulFrom, membershipSettings, redisFrom } from '../membership-settings.ts';
import { formatTable } from '../table.ts';

const REGISTRY_TIMEOUT_MS = 10_000;

/** `ringway ring` */
export const ring: Command = {
  name: 'ring',
  positionals: [],
  options: {
    locator: {
      type: 'string',
      value: 'URL',
      help: 'Internal listener of a locator. Default http://127.0.0.1:8081.',
    },
    consul: { type: 'boolean', help: 'Read it from Consul instead, as RINGWAY_CONSUL_* say.' },
    redis: { type: 'boolean', help: 'Read it from Redis instead, as RINGWAY_RING_REDIS_URL says.' },
    json: { type: 'boolean', help: 'Print it as JSON.' },
  },
  notes: () => `${backendNotes()}\n${settingsHelp(membershipSettings)}`,
  async run(args, terminal) {
    const url = args.url('locator', 'http://127.0.0.1:8081');
    const document = args.flag('consul')
      ? await fromRegistry('Consul', terminal)
      : args.flag('redis')
        ? await fromRegistry('Redis', terminal)
        : await fromLocator(url, terminal);
    if (document === undefined) return 1;
    const view = withShares(document);
    terminal.out(args.flag('json') ? `${JSON.stringify(view, undefined, 2)}\n` : describe(view));
    return 0;
  },
};

type Member = RingDocument['members'][number];

/** A ring as it is shown: `share` is the part of all keys that a member owns, 0 to 1. */
interface RingWithShares extends RingDocument {
  readonly members: readonly (Member & { readonly share: number })[];
}

function withShares(document: RingDocument): RingWithShares {
  const built = buildRing(document.members.filter(({ state }) => state === 'up'));
  const shares = built.shares();
  return {
    ...document,
    members: document.members.map((member) => ({ ...member, share: shares.get(member.id) ?? 0 })),
  };
}

function describe({ index, checksum, format, members }: RingWithShares): string {
  const up = members.filter(({ state }) => state === 'up').length;
  const head = ['member', 'public', 'internal', 'weight', 'state', 'keys', 'incarnation'];
  const rows = members.map(({ id, publicUrl, internalUrl, weight, state, share, incarnation }) => {
    const percent = `${(share * 100).toFixed(2)} %`.padStart(8);
    return [id, publicUrl, internalUrl, weight, state, percent, incarnation];
  });
  const version = `ring index ${index}, checksum ${checksum}, format ${format}: ${up} of ${members.length} members up\n`;
  return members.length === 0 ? version : `${version}\n${formatTable(head, rows)}\n`;
}

async function fromLocator(url: string, terminal: Terminal): Promise<RingDocument | undefined> {
  const { cluster, keys } = readBackend(terminal.env);
  const token = mintClusterToken(keys, { iss: cluster, sub: 'cli', aud: 'locator', scope: 'push' });
  try {
    const response = await fetch(url + HTTP.ring, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (response.ok) return (await response.json()) as RingDocument;
    terminal.err(`ringway ring: ${url} answers ${response.status}: ${await response.text()}\n`);
  } catch (error) {
    terminal.err(`ringway ring: ${url} does not answer: ${fetchFailure(error)}\n`);
  }
  return undefined;
}

async function fromRegistry(name: 'Consul' | 'Redis', terminal: Terminal): Promise<RingDocument | undefined> {
  const { cluster, keys } = readBackend(terminal.env);
  const settings = readOwnSettings(membershipSettings, terminal.env);
  const say = (fields: object, message: string): void =>
    terminal.err(`${message} ${JSON.stringify(fields)}\n`);
  const context = { cluster, keys, log: { info() {}, warn: say, error: say } };
  const membership: Watching =
    name === 'Redis' ? redisFrom(settings, context) : consulFrom(settings, context);
  const timeout = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => timeout.resolve(undefined), REGISTRY_TIMEOUT_MS);
  let members: readonly MemberEntry[] = [];
  let index = '0';
  const watch = membership.watch({
    snapshot: (snapshot) => {
      ({ index, members } = snapshot);
    },
  });
  try {
    const read = await Promise.race([watch.ready.then(() => true), timeout.promise]);
    if (read !== true) {
      // A URL of Redis may hold a password.
      const where = name === 'Consul' ? `Consul at ${settings.consulUrl}` : 'Redis';
      terminal.err(`ringway ring: ${where} gave no ring within ${REGISTRY_TIMEOUT_MS / 1000} s\n`);
      return undefined;
    }
    const up = members.filter(({ state, ringFormat }) => state === 'up' && ringFormat === RING_FORMAT);
    return { index, checksum: buildRing(up).version.checksum, format: RING_FORMAT, members };
  } finally {
    clearTimeout(timer);
    await membership.close();
  }
}
