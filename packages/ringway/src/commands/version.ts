import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PROTOCOL } from '@ringway/protocol';
import { RING_FORMAT } from '@ringway/ring';
import type { Command } from '../command.ts';
import { packageRoot } from '../package-root.ts';

/** `ringway version` */
export const version: Command = {
  name: 'version',
  positionals: [],
  options: {},
  async run(_args, terminal) {
    const manifest = await readFile(join(packageRoot(), 'package.json'), 'utf8');
    const { version } = JSON.parse(manifest) as { readonly version: string };
    terminal.out(
      `ringway ${version}, protocol ${PROTOCOL.min} to ${PROTOCOL.max}, ring format ${RING_FORMAT}\n`,
    );
    return 0;
  },
};
