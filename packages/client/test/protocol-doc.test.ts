import { readFileSync } from 'node:fs';
import { CLOSE, CLOSE_MEANS, type CloseName, type CloseRule, closeRule, ERRORS } from '@ringway/protocol';
import { expect, test } from 'vitest';
import { Positions } from '../src/positions.ts';

const document = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');

/** The rows of a section's table, without its head. */
function table(section: string): string[][] {
  const begin = document.indexOf(`\n## ${section}`);
  const text = document.slice(begin, document.indexOf('\n## ', begin + 1));
  const rows = text.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function advice({ action, avoid, newToken }: CloseRule): string {
  if (action === 'terminal') return 'stop';
  if (action === 'again') return 'ask at once';
  return `wait, ask${newToken ? ' with a new token' : ''}${avoid ? ', avoid the node' : ''}`;
}

test('the close codes of the document are those of the protocol', () => {
  const rows = Object.entries(CLOSE) as [CloseName, { code: number }][];
  expect(table('8.')).toEqual(
    rows.map(([name, { code }]) => [`${code}`, `\`${name}\``, advice(closeRule(code)), CLOSE_MEANS[name]]),
  );
});

test('the errors of the document are those of the protocol', () => {
  expect(table('9.')).toEqual(
    Object.entries(ERRORS).map(([code, { status, retryable, means }]) => [
      `\`${code}\``,
      `${status}`,
      retryable ? 'yes' : 'no',
      means,
    ]),
  );
});

test('every JSON example parses', () => {
  const examples = [...document.matchAll(/```json\n([^`]*)```/g)].map(([, text = '']) => text);
  expect(examples.length).toBeGreaterThan(3);
  for (const example of examples) expect(() => JSON.parse(example)).not.toThrow();
});

test('the frames of the worked session are of the tables, and follow its own rules of positions', () => {
  const lines = document.slice(document.indexOf('\n## 10.')).split('\n');
  const sent = table('3.').flatMap(([type = '']) => type.replaceAll('`', '').split(', '));
  const positions = new Positions();
  const delivered: string[] = [];
  const frames = lines.filter((line) => /^[<>] /.test(line));
  expect(frames.length).toBeGreaterThan(20);
  for (const line of frames) {
    const frame = JSON.parse(line.slice(2));
    expect(sent).toContain(frame.type);
    if (line.startsWith('>')) continue;
    const { type, channel, position } = frame;
    if ((type === 'welcome' || type === 'joined') && !positions.get(channel))
      positions.set(channel, position);
    if (type === 'gap') positions.set(channel, frame.upTo);
    if (type === 'message') {
      expect(positions.take(frame)).toBe('deliver');
      delivered.push(frame.id);
    }
    if (type === 'resumed') {
      for (const one of frame.channels) expect(positions.get(one.channel)).toEqual(one.position);
    }
  }
  expect(delivered).toEqual(['Zk81', 'Zk82', '9f-1']);
});
