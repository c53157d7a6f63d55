import { HTTP, type Problem, type RouteAnswer } from '@ringway/protocol';
import type { Command } from '../command.ts';
import { fetchFailure } from '../fetch-failure.ts';
import { publicLocator, publicUrl } from '../locator-option.ts';
import { formatTable } from '../table.ts';

/** `ringway route` */
export const route: Command = {
  name: 'route',
  positionals: ['USER'],
  options: {
    locator: publicLocator,
    token: { type: 'string', value: 'JWT', help: 'The caller’s own token. Default none.' },
    avoid: { type: 'string', multiple: true, value: 'NODE', help: 'A node to leave out; may be repeated.' },
    json: { type: 'boolean', help: 'Print the whole answer as JSON, ticket included.' },
  },
  async run(args, terminal) {
    const url = new URL(`${publicUrl(args, terminal)}${HTTP.route}`);
    url.searchParams.set('userId', args.positional(0));
    for (const node of args.texts('avoid')) url.searchParams.append('avoid', node);
    const token = args.text('token');
    const response = await ask(url, token);
    if (typeof response === 'string') {
      terminal.err(`ringway route: ${url.origin} does not answer: ${response}\n`);
      return 1;
    }
    const text = await response.text();
    if (!response.ok) {
      terminal.err(`ringway route: ${problemLine(response.status, text)}\n`);
      return 1;
    }
    terminal.out(args.flag('json') ? `${text}\n` : describe(JSON.parse(text) as RouteAnswer));
    return 0;
  },
};

async function ask(url: URL, token: string | undefined): Promise<Response | string> {
  try {
    return await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(10_000),
    });
  } catch (error) {
    return fetchFailure(error);
  }
}

function problemLine(status: number, text: string): string {
  try {
    const { code, detail } = JSON.parse(text) as Problem;
    return `${status} ${code}: ${detail}`;
  } catch {
    return `${status}, and no problem document`;
  }
}

function describe({ userId, nodeId, url, expiresAt, expiresIn, ring }: RouteAnswer): string {
  // the ticket opens a session: it is shown only when asked for by --json
  const shown = url.replace(/([?&]ticket=)[^&]+/, '$1…');
  const rows = [
    ['user', userId],
    ['node', nodeId],
    ['url', shown],
    ['expires', `${new Date(expiresAt).toISOString()} (in ${Math.round(expiresIn / 1000)} s)`],
    ['ring', `index ${ring.index}, checksum ${ring.checksum}`],
  ] as const;
  return `${formatTable(rows[0], rows.slice(1))}\n`;
}
