import type { RingDocument } from '@ringway/protocol';
import { buildRing } from '@ringway/ring';
import { settingsHelp } from '@ringway/service';
import { backendNotes } from '../backend-settings.ts';
import type { Command } from '../command.ts';
import { internalLocator, internalUrl } from '../locator-option.ts';
import { membershipSettings } from '../membership-settings.ts';
import { ringFromLocator, ringFromRegistry } from '../ring-document.ts';
import { formatTable } from '../table.ts';

/** `ringway ring` */
export const ring: Command = {
  name: 'ring',
  positionals: [],
  options: {
    locator: internalLocator,
    consul: { type: 'boolean', help: 'Read it from Consul instead, as RINGWAY_CONSUL_* say.' },
    redis: { type: 'boolean', help: 'Read it from Redis instead, as RINGWAY_RING_REDIS_URL says.' },
    json: { type: 'boolean', help: 'Print it as JSON.' },
  },
  notes: () => `${backendNotes()}\n${settingsHelp(membershipSettings)}`,
  async run(args, terminal) {
    const url = internalUrl(args, terminal);
    const document = args.flag('consul')
      ? await ringFromRegistry('ring', 'Consul', terminal)
      : args.flag('redis')
        ? await ringFromRegistry('ring', 'Redis', terminal)
        : await ringFromLocator('ring', url, terminal);
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
