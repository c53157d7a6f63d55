import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { launch } from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// What a stranger does: install the package into an empty folder, import it, compile against it.
const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules/.bin');

interface Case {
  /** Folder under packages/, and those of the published packages that it needs. */
  readonly needs: readonly string[];
  /** A file that uses it, as TypeScript. */
  readonly consumer: string;
  /** Prints one line when the package works. */
  readonly program: string;
  readonly prints: string;
}

const cases: Readonly<Record<string, Case>> = {
  ring: {
    needs: [],
    consumer: `
      import { buildRing, movedRanges, type Ring, type RingMember } from '@ringway/ring';
      const ring: Ring<RingMember> = buildRing([{ id: 'a', weight: 1 }, { id: 'b', weight: 2 }]);
      export const owner: string | undefined = ring.owner('user:alice')?.id;
      export const moved: unknown = movedRanges(ring, ring);
    `,
    program: `
      import { buildRing } from '@ringway/ring';
      console.log(buildRing([{ id: 'a', weight: 1 }]).owner('user:alice')?.id);
    `,
    prints: 'a',
  },
  client: {
    needs: [],
    consumer: `
      import { RingwayClient, RingwayError, type Message } from '@ringway/client';
      import { type PresenceWatch, watchPresence } from '@ringway/client/presence';
      export const watch = (client: RingwayClient): Promise<PresenceWatch> =>
        watchPresence(client, ['bob'], ({ userId, online }) => { void [userId, online]; });
      export function follow(client: RingwayClient): void {
        client.on('message', (message: Message) => { void message; });
      }
      export const isOurs = (error: unknown): boolean => error instanceof RingwayError;
    `,
    program: `
      import { RingwayClient } from '@ringway/client';
      import { watchPresence } from '@ringway/client/presence';
      console.log(typeof RingwayClient, typeof watchPresence);
    `,
    prints: 'function function',
  },
  push: {
    needs: ['ring'],
    consumer: `
      import { PushError, RingwayPush, type PushOptions, type RingSource } from '@ringway/push';
      import { redisSource } from '@ringway/push/redis';
      export const make = (options: PushOptions): RingwayPush => new RingwayPush(options);
      export const isOurs = (error: unknown): boolean => error instanceof PushError;
      export const fromRedis: RingSource = redisSource({ url: 'redis://127.0.0.1:6379' });
    `,
    // Who does not read the ring in Redis need not install its client, who does is told what is missing.
    program: `
      import { RingwayPush } from '@ringway/push';
      const missing = await import('@ringway/push/redis').catch((error) => error);
      console.log(typeof RingwayPush, /ioredis/.test(String(missing)));
    `,
    prints: 'function true',
  },
  ringway: {
    needs: ['ring', 'client', 'push'],
    consumer: `
      import { run } from 'ringway';
      export const status: Promise<number> = run(['--help'], { out: () => {}, err: () => {}, env: {} });
    `,
    program: `
      import { commandNames } from 'ringway';
      console.log(commandNames.includes('dev'));
    `,
    prints: 'true',
  },
};

/** Runs a program to its end; rejects with what it wrote when it fails. */
async function sh(cwd: string, command: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  try {
    return (await promisify(execFile)(command, args, { cwd, env, maxBuffer: 1 << 24 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')}:\n${stdout}${stderr}`, { cause: error });
  }
}

describe('packed packages', () => {
  let folder = '';
  const tarballs = new Map<string, string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ringway-pack-'));
    await sh(root, 'npm', 'run', '--silent', 'build');
    for (const name of Object.keys(cases)) {
      const packed = await sh(
        join(root, 'packages', name),
        'npm',
        'pack',
        '--json',
        '--pack-destination',
        folder,
      );
      const [made] = JSON.parse(packed) as { filename: string }[];
      tarballs.set(name, join(folder, made?.filename ?? ''));
    }
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  describe.each(Object.entries(cases))('%s', (name, { needs, consumer, program, prints }) => {
    const home = (): string => join(folder, 'empty', name);

    it('installs into an empty folder, and works there', async () => {
      await mkdir(home(), { recursive: true });
      await writeFile(join(home(), 'package.json'), '{ "type": "module" }');
      const files = [name, ...needs].map((each) => tarballs.get(each) ?? '');
      await sh(home(), 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', ...files);
      await writeFile(join(home(), 'program.js'), program);
      expect((await sh(home(), join(bin, 'node'), 'program.js')).trim()).toBe(prints);
    });

    it('has types that stand on their own', async () => {
      // The types of Node and of browsers are the consumer's to bring; nothing else is.
      cpSync(join(root, 'node_modules/@types/node'), join(home(), 'node_modules/@types/node'), {
        recursive: true,
      });
      cpSync(join(root, 'node_modules/undici-types'), join(home(), 'node_modules/undici-types'), {
        recursive: true,
      });
      await writeFile(join(home(), 'consumer.ts'), consumer);
      const strict = ['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false', '--noEmit'];
      const lib = ['--module', 'nodenext', '--target', 'es2024', '--lib', 'es2024,dom', '--types', 'node'];
      await sh(home(), join(bin, 'tsc'), ...strict, ...lib, 'consumer.ts');
    });
  });

  it('the command runs', async () => {
    expect(await sh(join(folder, 'empty/ringway'), 'npx', '--no-install', 'ringway', '--help')).toContain(
      'ringway COMMAND',
    );
  });

  it('the whole system runs from what was installed, page and SDK with it', async () => {
    const command = join(folder, 'empty/ringway/node_modules/.bin/ringway');
    const args = [command, 'dev', '--nodes', '1', '--port', '0'];
    await using dev = await launch({ command: join(bin, 'node'), args, name: 'ringway dev' });
    const [page] = await dev.waitForOutput(/http:\/\/127\.0\.0\.1:\d+/, 20_000);
    expect(await (await fetch(page)).text()).toContain('<html');
    const sdk = await fetch(`${page}/sdk/ringway.js`);
    expect(sdk.headers.get('content-type')).toMatch(/javascript/);
    expect(await sdk.text()).toContain('RingwayClient');
    expect(await (await fetch(`${page}/sdk/presence.js`)).text()).toContain('watchPresence');
  });

  it.each(Object.keys(cases))('%s carries what was built, and no source', async (name) => {
    const listed = (await sh(folder, 'tar', 'tzf', tarballs.get(name) ?? '')).trim().split('\n');
    expect(listed).toContain('package/dist/index.d.ts');
    expect(listed).toContain('package/LICENSE');
    expect(listed.filter((file) => file.includes('/src/') || /(?<!\.d)\.ts$/.test(file))).toEqual([]);
  });
});
