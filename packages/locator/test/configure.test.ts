import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { memoryMembership } from '@ringway/membership';
import { createLogger, readSettings, SettingsError } from '@ringway/service';
import { createTestCa, type TestCa } from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConfiguredLocator, configureLocator, locatorSettings } from '../src/index.ts';
import { AUTH_KEYS, bearer, CLUSTER_KEYS, callerToken, member, silent, TICKET_KEYS } from './support.ts';

const keys = {
  RINGWAY_TICKET_KEYS: TICKET_KEYS,
  RINGWAY_CLUSTER_KEYS: CLUSTER_KEYS,
  RINGWAY_AUTH_KEYS: AUTH_KEYS,
};
const free = { RINGWAY_PUBLIC_LISTEN: '127.0.0.1:0', RINGWAY_INTERNAL_LISTEN: 'localhost:0' };

const read = (env: Record<string, string>) => readSettings(locatorSettings, { ...keys, ...free, ...env });

function configure(env: Record<string, string>, logger = silent): ConfiguredLocator {
  const membership = () => {
    const made = memoryMembership();
    void made.register(member('node-1'));
    return made;
  };
  return configureLocator(read(env), { membership, logger });
}

/** What the server's certificate says it is. */
function commonName(url: string, ca: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ca }, () => {
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      resolve(String(CN));
    });
    socket.once('error', reject);
  });
}

function get(url: string, ca: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { ca, headers: bearer(callerToken({ sub: 'alice' })).headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    })
      .once('error', reject)
      .end();
  });
}

describe('configureLocator', () => {
  test('listens where it is told, and answers', async () => {
    const { locator } = configure({});
    await locator.start();
    try {
      await locator.whenReady();
      expect(locator.internalUrl).toMatch(/^http:\/\/localhost:\d+$/);
      const response = await fetch(`${locator.publicUrl}/route`, bearer(callerToken({ sub: 'alice' })));
      expect(response.status).toBe(200);
    } finally {
      await locator.stop();
    }
    expect(locator.state).toBe('Terminated');
  });

  test('no secret for two purposes', () => {
    expect(() => configure({ RINGWAY_AUTH_KEYS: `${AUTH_KEYS},${TICKET_KEYS}` })).toThrow(
      /RINGWAY_TICKET_KEYS: expected secrets of its own.*RINGWAY_AUTH_KEYS/,
    );
  });

  test.each([{ RINGWAY_PUBLIC_LISTEN: '0.0.0.0:0' }, { RINGWAY_INTERNAL_LISTEN: '10.0.0.1:0' }])(
    'without authentication on loopback alone: %j',
    (listen) => {
      const { RINGWAY_AUTH_KEYS: _none, ...others } = { ...keys, ...free };
      const settings = (more: Record<string, string>) =>
        readSettings(locatorSettings, { ...others, RINGWAY_INSECURE: '1', ...more });
      const parts = { membership: () => memoryMembership(), logger: silent };
      expect(() => configureLocator(settings({}), parts)).not.toThrow();
      expect(() => configureLocator(settings(listen), parts)).toThrow('a loopback host');
    },
  );

  test('a port that is taken is an error of the start, and nothing is left listening', async () => {
    const first = configure({});
    await first.locator.start();
    try {
      const { port } = new URL(first.locator.internalUrl);
      const second = configure({ RINGWAY_INTERNAL_LISTEN: `localhost:${port}` });
      await expect(second.locator.start()).rejects.toThrow(
        `cannot listen on localhost:${port} (RINGWAY_INTERNAL_LISTEN): another process listens there`,
      );
      expect(second.locator.state).toBe('Failed');
      await expect(fetch(`${second.locator.publicUrl}/healthz`)).rejects.toThrow();
    } finally {
      await first.locator.stop();
    }
  });

  test('a reload takes over keys, origins and log level; a bad one changes nothing', async () => {
    const lines: string[] = [];
    const logger = createLogger({
      name: 'x',
      pretty: false,
      destination: { write: (line) => lines.push(line) },
    });
    const { locator, reload } = configure({}, logger);
    await locator.start();
    try {
      await locator.whenReady();
      const ask = async (secret: string, origin = 'https://app.example.com') => {
        const { KeyFamily } = await import('@ringway/service');
        const token = callerToken({ sub: 'alice' }, KeyFamily.parse('X', secret));
        const response = await fetch(`${locator.publicUrl}/route`, {
          headers: { ...bearer(token).headers, origin },
        });
        return { status: response.status, allowed: response.headers.get('access-control-allow-origin') };
      };
      const fresh = 'n'.repeat(32);
      expect(await ask(AUTH_KEYS)).toEqual({ status: 200, allowed: null });
      expect(await ask(fresh)).toEqual({ status: 401, allowed: null });

      const change = {
        RINGWAY_AUTH_KEYS: fresh,
        RINGWAY_ORIGINS: 'https://app.example.com',
        RINGWAY_LOG_LEVEL: 'error',
      };
      expect(() => reload(read({ ...change, RINGWAY_AUTH_KEYS: CLUSTER_KEYS }))).toThrow(SettingsError);
      expect(await ask(AUTH_KEYS)).toEqual({ status: 200, allowed: null });

      reload(read(change));
      expect(await ask(fresh)).toEqual({ status: 200, allowed: 'https://app.example.com' });
      expect(await ask(AUTH_KEYS)).toEqual({ status: 401, allowed: 'https://app.example.com' });
      expect(logger.level).toBe('error');
      expect(lines.join('')).toContain('keys changed');
      expect(lines.join('')).not.toContain(fresh);
    } finally {
      await locator.stop();
    }
  });
});

describe('TLS', () => {
  let ca: TestCa;
  let folder: string;
  beforeAll(async () => {
    ca = await createTestCa();
    folder = await mkdtemp(join(tmpdir(), 'ringway-tls-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    await ca[Symbol.asyncDispose]();
  });

  const files = () => ({ cert: join(folder, 'live.pem'), key: join(folder, 'live.key') });
  const put = async (name: string) => {
    const { certFile, keyFile } = await ca.issue(name);
    await Promise.all([copyFile(certFile, files().cert), copyFile(keyFile, files().key)]);
  };

  test('on both listeners, and a new certificate is taken over by a reload', async () => {
    await put('first');
    const env = {
      RINGWAY_PUBLIC_CERT: files().cert,
      RINGWAY_PUBLIC_KEY: files().key,
      RINGWAY_INTERNAL_CERT: files().cert,
      RINGWAY_INTERNAL_KEY: files().key,
    };
    const { locator, reload } = configure(env);
    await locator.start();
    try {
      await locator.whenReady();
      expect(locator.publicUrl).toMatch(/^https:/);
      expect(await get(`${locator.publicUrl}/route`, ca.ca)).toBe(200);
      expect(await get(`${locator.internalUrl}/healthz`, ca.ca)).toBe(200);
      expect(await commonName(locator.publicUrl, ca.ca)).toBe('first');

      await put('second');
      reload(read(env));
      expect(await commonName(locator.publicUrl, ca.ca)).toBe('second');
      expect(await commonName(locator.internalUrl, ca.ca)).toBe('second');

      await writeFile(files().cert, 'broken');
      expect(() => reload(read(env))).toThrow(/RINGWAY_PUBLIC_CERT/);
      expect(await commonName(locator.publicUrl, ca.ca)).toBe('second');
    } finally {
      await locator.stop();
    }
  });

  test('a certificate without its key, or with another’s, is a bad setting', async () => {
    await put('third');
    const { keyFile } = await ca.issue('other');
    const { cert } = files();
    expect(() => configure({ RINGWAY_PUBLIC_CERT: cert })).toThrow('RINGWAY_PUBLIC_KEY');
    expect(() => configure({ RINGWAY_PUBLIC_CERT: cert, RINGWAY_PUBLIC_KEY: keyFile })).toThrow(
      'belongs to the key',
    );
    expect(() => configure({ RINGWAY_PUBLIC_CERT: '/nowhere', RINGWAY_PUBLIC_KEY: keyFile })).toThrow(
      'can be read',
    );
  });
});
