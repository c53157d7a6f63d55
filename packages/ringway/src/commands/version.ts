import { readFile } from 'node:fs/promises';
import { PROTOCOL } from '@ringway/protocol';
import { RING_FORMAT } from '@ringway/ring';
import type { Command } from '../command.ts';

/** `ringway version` */
export const version: Command = {
  name: 'version',
  summary: 'Print the versions of Ringway, of its protocol and of its ring format.',
  positionals: [],
  options: {},
  async run(_args, terminal) {
    // the same place from src/commands and from dist
    const url = new URL(
      import.meta.url.endsWith('.ts') ? '../../package.json' : '../package.json',
      import.meta.url,
    );
    const { version } = JSON.parse(await readFile(url, 'utf8')) as { readonly version: string };
    terminal.out(
      `ringway ${version}, protocol ${PROTOCOL.min} to ${PROTOCOL.max}, ring format ${RING_FORMAT}\n`,
    );
    return 0;
  },
};
