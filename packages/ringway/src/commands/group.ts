import { locatorSource, RingwayPush } from '@ringway/push';
import { backendNotes, readBackend } from '../backend-settings.ts';
import type { Command } from '../command.ts';
import { internalLocators, internalUrls } from '../locator-option.ts';

/** `ringway group` */
export const group: Command = {
  name: 'group',
  positionals: ['NAME'],
  options: {
    add: { type: 'string', multiple: true, value: 'USER', help: 'Put this user in; may be repeated.' },
    remove: { type: 'string', multiple: true, value: 'USER', help: 'Take this user out; may be repeated.' },
    locator: internalLocators,
    timeout: { type: 'string', value: 'SECONDS', help: 'How long to try each. Default 10.' },
    json: { type: 'boolean', help: 'Print the members as a JSON array.' },
  },
  notes: backendNotes,
  async run(args, terminal) {
    const urls = internalUrls(args, terminal);
    const seconds = args.integer('timeout', 1, 3600) ?? 10;
    const { cluster, keyText } = readBackend(terminal.env);
    const push = new RingwayPush({
      source: locatorSource({ urls }),
      name: 'cli',
      clusterKeys: keyText,
      cluster,
      timeoutMs: seconds * 1000,
    });
    const name = args.positional(0);
    try {
      const [added, removed] = [args.texts('add'), args.texts('remove')];
      for (const userId of added) await push.addToGroup(name, userId);
      for (const userId of removed) await push.removeFromGroup(name, userId);
      if (added.length + removed.length > 0) {
        terminal.out(`${name}: put in ${added.length}, taken out ${removed.length}\n`);
        return 0;
      }
      const members = await push.groupMembers(name);
      terminal.out(
        args.flag('json') ? `${JSON.stringify(members)}\n` : members.map((one) => `${one}\n`).join(''),
      );
      return 0;
    } finally {
      await push.close();
    }
  },
};
