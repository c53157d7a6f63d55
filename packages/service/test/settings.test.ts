import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  formatAddress,
  loadEnvironment,
  parseAddress,
  readSettings,
  SettingsError,
  setting,
  settingNames,
  settingsChange,
  settingsHelp,
  settingsMarkdown,
} from '../src/index.ts';

const SECRET = 'k'.repeat(32);

const table = {
  port: setting.int('RINGWAY_SOME_NUMBER', { default: 8080, min: 1, max: 65_535, help: 'A number.' }),
  wait: setting.duration('RINGWAY_WAIT', { default: 10_000, min: 1, help: 'How long.' }),
  size: setting.bytes('RINGWAY_SIZE', { default: 65_536, help: 'How big.' }),
  ratio: setting.number('RINGWAY_RATIO', { default: 0.5, max: 1, help: 'How much.' }),
  name: setting.string('RINGWAY_NAME', {
    help: 'A name.',
    pattern: /^[a-z]+$/,
    expected: 'lower case letters',
  }),
  url: setting.url('RINGWAY_URL', { help: 'Where.', protocols: ['wss:', 'ws:'], required: true }),
  listen: setting.address('RINGWAY_LISTEN', { help: 'Where.', default: { host: '127.0.0.1', port: 0 } }),
  origins: setting.list('RINGWAY_ORIGINS', { help: 'Who.', default: [], of: 'origins', reload: true }),
  mode: setting.choice('RINGWAY_MODE', ['a', 'b'], { default: 'a', help: 'Which.' }),
  on: setting.flag('RINGWAY_ON', { help: 'Whether.' }),
  keys: setting.keys('RINGWAY_TICKET_KEYS', { help: 'Keys.' }),
  token: setting.secret('RINGWAY_TOKEN', { help: 'Token.', default: '' }),
} as const;

const good = { RINGWAY_URL: 'wss://a.example/n/1/' };

function problemsOf(
  env: Record<string, string>,
): readonly { name: string; given?: string; expected: string }[] {
  try {
    readSettings(table, env);
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    return (error as SettingsError).problems;
  }
  return [];
}

describe('readSettings', () => {
  test('gives defaults, parsed values and a frozen object', () => {
    const values = readSettings(table, {
      ...good,
      RINGWAY_SOME_NUMBER: ' 9 ',
      RINGWAY_WAIT: '2m',
      RINGWAY_SIZE: '1MiB',
      RINGWAY_ORIGINS: 'https://a, https://b,',
      RINGWAY_ON: 'yes',
      RINGWAY_MODE: 'b',
      RINGWAY_NAME: '',
      RINGWAY_LISTEN: '[::1]:80',
      RINGWAY_TICKET_KEYS: SECRET,
      PATH: '/bin',
    });
    expect(values).toEqual({
      port: 9,
      wait: 120_000,
      size: 1_048_576,
      ratio: 0.5,
      name: undefined,
      url: 'wss://a.example/n/1',
      listen: { host: '::1', port: 80 },
      origins: ['https://a', 'https://b'],
      mode: 'b',
      on: true,
      keys: { name: 'RINGWAY_TICKET_KEYS', text: SECRET },
      token: '',
    });
    expect(Object.isFrozen(values)).toBe(true);
    const port: number = values.port;
    const mode: 'a' | 'b' = values.mode;
    const name: string | undefined = values.name;
    expect([port, mode, name]).toEqual([9, 'b', undefined]);
  });

  test('names every bad setting at once, with what was given and what was expected', () => {
    const problems = problemsOf({
      RINGWAY_SOME_NUMBER: '70000',
      RINGWAY_WAIT: '10 parsecs',
      RINGWAY_RATIO: '1.5',
      RINGWAY_NAME: 'A',
      RINGWAY_MODE: 'c',
      RINGWAY_ON: 'maybe',
      RINGWAY_LISTEN: 'host',
    });
    expect(problems.map((p) => [p.name, p.given])).toEqual([
      ['RINGWAY_SOME_NUMBER', '70000'],
      ['RINGWAY_WAIT', '10 parsecs'],
      ['RINGWAY_RATIO', '1.5'],
      ['RINGWAY_NAME', 'A'],
      ['RINGWAY_URL', undefined],
      ['RINGWAY_LISTEN', 'host'],
      ['RINGWAY_MODE', 'c'],
      ['RINGWAY_ON', 'maybe'],
    ]);
    expect(problems.map((p) => p.expected)).toContain('an integer, from 1 to 65535');
    expect(problems.map((p) => p.expected)).toContain('one of a, b');
  });

  test('names unknown settings, with the nearest known one', () => {
    expect(problemsOf({ ...good, RINGWAY_ORIGIN: '*' })).toEqual([
      { name: 'RINGWAY_ORIGIN', expected: 'no such setting; did you mean RINGWAY_ORIGINS?' },
    ]);
    expect(problemsOf({ ...good, RINGWAY_ENTIRELY_ELSEWHERE: '1' })).toEqual([
      { name: 'RINGWAY_ENTIRELY_ELSEWHERE', expected: 'no such setting' },
    ]);
  });

  test('counts an empty variable as absent, whoever knows it', () => {
    const env = { ...good, RINGWAY_PORT: ' ', RINGWAY_ENTIRELY_ELSEWHERE: '', RINGWAY_BLANK: ' ' };
    expect(readSettings(table, env).port).toBe(8080);
  });

  test('lets settings of other commands and the service links of Kubernetes pass', () => {
    const env = {
      ...good,
      RINGWAY_OTHER: '1',
      RINGWAY_NODE_SERVICE_HOST: '10.0.0.1',
      RINGWAY_PORT_80_TCP_ADDR: 'x',
    };
    expect(readSettings(table, env, { alsoKnown: ['RINGWAY_OTHER'] }).port).toBe(8080);
  });

  test('never prints a secret', () => {
    const secret = 'too-short-but-still-a-secret';
    const problems = problemsOf({ ...good, RINGWAY_TICKET_KEYS: `${SECRET},${secret}` });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.expected).toContain('the 2nd has 28');
    expect(new SettingsError(problems).message).not.toContain(secret);
    expect(new SettingsError(problems).message).not.toContain(SECRET);
  });

  test('rejects a table with a name that is not ours', () => {
    expect(() => setting.flag('PORT', { help: '' })).toThrow('not a setting');
  });
});

describe('files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ringway-settings-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('a secret may come from a file, and not from both', () => {
    const file = join(folder, 'keys');
    writeFileSync(file, `${SECRET}\n`);
    expect(readSettings(table, { ...good, RINGWAY_TICKET_KEYS_FILE: file }).keys).toEqual({
      name: 'RINGWAY_TICKET_KEYS',
      text: SECRET,
      file,
    });
    expect(
      problemsOf({ ...good, RINGWAY_TICKET_KEYS_FILE: file, RINGWAY_TICKET_KEYS: SECRET })[0]?.expected,
    ).toContain('not both');
    expect(problemsOf({ ...good, RINGWAY_TICKET_KEYS_FILE: join(folder, 'none') })[0]).toMatchObject({
      name: 'RINGWAY_TICKET_KEYS_FILE',
      expected: 'a file that can be read',
    });
  });

  test('the settings file lies below the environment', () => {
    const file = join(folder, 'env');
    writeFileSync(file, 'RINGWAY_NAME=fromfile\nRINGWAY_MODE=b\n');
    const env = loadEnvironment({ ...good, RINGWAY_SETTINGS_FILE: file, RINGWAY_MODE: 'a' });
    expect(readSettings(table, env)).toMatchObject({ name: 'fromfile', mode: 'a' });
    expect(() => loadEnvironment({ RINGWAY_SETTINGS_FILE: join(folder, 'none') })).toThrow(SettingsError);
    expect(loadEnvironment(good)).toBe(good);
  });
});

test('settingsChange tells what a reload can take over', () => {
  const before = readSettings(table, good);
  const after = readSettings(table, { ...good, RINGWAY_ORIGINS: 'https://a', RINGWAY_SOME_NUMBER: '1' });
  expect(settingsChange(table, before, after)).toEqual({ reloadable: ['origins'], needRestart: ['port'] });
});

test('help and document name every setting, its default and its file', () => {
  for (const text of [settingsHelp(table), settingsMarkdown(table)]) {
    for (const name of settingNames(table)) expect(text).toContain(name);
    expect(text).toContain('64KiB');
    expect(text).toContain('10s');
  }
  expect(settingsHelp(table)).toContain('RINGWAY_URL (required)');
});

describe('properties', () => {
  const one = <T>(row: Parameters<typeof readSettings>[0][string], text: string): T =>
    readSettings({ value: row }, { [row.name]: text }).value as T;

  test('a duration or size that is shown as a default is read back as itself', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (n) => {
        const wait = setting.duration('RINGWAY_X', { default: n, help: '' });
        const size = setting.bytes('RINGWAY_X', { default: n, help: '' });
        return one(wait, wait.fallbackText ?? '') === n && one(size, size.fallbackText ?? '') === n;
      }),
    );
  });

  test('an integer is taken exactly within its range', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.integer(), (a, b, n) => {
        const [min, max] = a < b ? [a, b] : [b, a];
        const row = setting.int('RINGWAY_X', { min, max, help: '' });
        if (n >= min && n <= max) expect(one(row, String(n))).toBe(n);
        else expect(() => one(row, String(n))).toThrow(SettingsError);
      }),
    );
  });

  test('whatever is given, the outcome is values or a SettingsError', () => {
    const names = Object.values(table).map((row) => row.name);
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), fc.string()), (env) => {
        try {
          readSettings(table, env);
        } catch (error) {
          expect(error).toBeInstanceOf(SettingsError);
        }
      }),
    );
  });

  test('an address that is formatted is read back', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (h, port) => {
        expect(parseAddress(formatAddress({ host: h, port }))).toEqual({ host: h, port });
      }),
    );
    for (const bad of ['', 'a', 'a:', ':1', 'a:65536', 'a:b', '::1:80', '[::1]'])
      expect(parseAddress(bad)).toBeUndefined();
  });
});
