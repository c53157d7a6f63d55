import { describe, expect, test } from 'vitest';
import { createLogger, KeyFamily, redact, setLogLevel, signCompact } from '../src/index.ts';

function collect() {
  const lines: string[] = [];
  return { lines, destination: { write: (line: string) => void lines.push(line) } };
}

const token = signCompact(KeyFamily.parse('X', 'a'.repeat(32)), 'ringway-ticket+jwt', '{"sub":"alice"}');

describe('createLogger', () => {
  test('writes one JSON object a line', () => {
    const { lines, destination } = collect();
    createLogger({ name: 'locator', pretty: false, destination }).info({ members: 3 }, 'ring changed');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'info',
      name: 'locator',
      members: 3,
      msg: 'ring changed',
    });
  });

  test('never lets a token out, wherever it stands', () => {
    const { lines, destination } = collect();
    const logger = createLogger({ name: 'x', pretty: false, destination });
    logger.info({ url: `wss://n/ws?ticket=${token}&a=1`, deep: { er: [token] } }, `got ${token}`);
    logger.error(new Error(`bad token ${token}`));
    logger.child({ ticket: token }).warn('child');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).not.toContain(token.split('.')[1]);
      expect(line).not.toContain(token.split('.')[2]);
      expect(() => JSON.parse(line)).not.toThrow();
    }
    expect(lines[0]).toContain('&a=1');
  });

  test('pretty lines are for people, and without tokens too', () => {
    const { lines, destination } = collect();
    createLogger({ name: 'x', pretty: true, destination }).info({ token }, 'hello');
    expect(lines.join('')).toContain('hello');
    expect(lines.join('')).not.toContain(token);
  });

  test('setLogLevel reaches children that exist already', () => {
    const { lines, destination } = collect();
    const logger = createLogger({ name: 'x', level: 'warn', pretty: false, destination });
    const child = logger.child({ part: 'a' }).child({ part: 'b' });
    child.info('no');
    setLogLevel(logger, 'info');
    child.info('yes');
    logger.info('yes');
    expect(lines).toHaveLength(2);
  });
});

test('redact leaves what is no token', () => {
  expect(redact('eyelid a.b.c /route?userId=alice')).toBe('eyelid a.b.c /route?userId=alice');
  expect(redact('/ws?ticket=abc')).toBe('/ws?ticket=[token]');
});
