import { join } from 'node:path';
import { launch, launchChromium, type RunningProcess, waitFor } from '@ringway/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '../packages/ringway/src/main.ts');

let dev: RunningProcess;
let browser: Browser;
let address: string;
const errors: string[] = [];

beforeAll(async () => {
  dev = await launch({
    command: process.execPath,
    args: ['--conditions=@ringway/source', MAIN, 'dev', '--nodes', '3', '--port', '0'],
    name: 'ringway dev',
  });
  [, address = ''] = await dev.waitForOutput(/Open +(http:\S+)/, 30_000);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await dev?.stop();
});

/** A window of the user's own, connected. */
async function windowOf(name: string): Promise<Page> {
  const page = await browser.newPage();
  page.on('pageerror', (error) => errors.push(`${name}: ${error.message}`));
  page.on('console', (line) => {
    if (line.type() === 'error') errors.push(`${name}: ${line.text()}`);
  });
  await page.goto(address);
  await page.getByTestId('name').fill(name);
  await page.getByTestId('connect').click();
  await stands(page);
  return page;
}

async function stands(page: Page): Promise<void> {
  await waitFor(async () => (await page.getByTestId('state').textContent()) === 'connected', {
    message: 'connected',
  });
}

async function nodeOf(page: Page): Promise<string> {
  const node = await page.getByTestId('node').getAttribute('data-node');
  return node ?? '';
}

async function say(page: Page, to: string, text: string): Promise<void> {
  await page.getByTestId('to').fill(to);
  await page.getByTestId('text').fill(text);
  await page.getByTestId('send').click();
}

async function hears(page: Page, from: string, text: string): Promise<void> {
  const message = page.getByTestId('received').filter({ hasText: text }).filter({ hasText: from });
  await message.waitFor({ timeout: 10_000 });
}

/** The node that the ring gives a user, by the address of a stranger. */
async function homeOf(user: string): Promise<string> {
  const answer = await fetch(`${address}route?userId=${user}`);
  const { nodeId } = (await answer.json()) as { readonly nodeId: string };
  return nodeId;
}

/** Two users with different homes. */
async function strangers(): Promise<[string, string]> {
  const home = await homeOf('alice');
  for (let i = 0; ; i++) if ((await homeOf(`bob-${i}`)) !== home) return ['alice', `bob-${i}`];
}

test('two windows on different nodes talk, and go on when their nodes go', async () => {
  const [alice, bob] = await strangers();
  const one = await windowOf(alice);
  const two = await windowOf(bob);
  const [nodeOne, nodeTwo] = [await nodeOf(one), await nodeOf(two)];
  expect([nodeOne, nodeTwo]).toEqual([await homeOf(alice), await homeOf(bob)]);
  expect(nodeOne).not.toBe(nodeTwo);

  await say(one, bob, 'hello from alice');
  await hears(two, alice, 'hello from alice');
  await waitFor(
    async () => /reached 1 session/.test((await one.getByTestId('sent').last().textContent()) ?? ''),
    {
      message: 'alice sees that one session was reached',
    },
  );
  await say(two, alice, 'and from bob');
  await hears(one, bob, 'and from bob');

  expect(await one.getByTestId('why').textContent()).toMatch(
    new RegExp(`user:${alice} hashes to 0x[0-9a-f]{8}.*${nodeOne}`),
  );
  await one.getByTestId(`pin-${bob}`).waitFor();
  expect(await one.getByTestId(`pin-${alice}`).getAttribute('data-owner')).toBe(nodeOne);
  expect(await one.getByTestId('ring').locator('path').count()).toBe(3);

  await one.getByTestId('add-node').click();
  await two.getByTestId('member-node-4').waitFor();
  await waitFor(async () => (await two.getByTestId('ring').locator('path').count()) === 4, {
    message: 'four bands',
  });

  await two.getByTestId(`remove-${nodeOne}`).click();
  await one.getByTestId(`member-${nodeOne}`).waitFor({ state: 'detached' });
  await waitFor(async () => (await nodeOf(one)) !== nodeOne && (await nodeOf(one)) !== '', {
    message: 'alice is on another node',
  });
  await stands(one);
  await say(two, alice, 'still there?');
  await hears(one, bob, 'still there?');
  expect(errors).toEqual([]);
});

test('no other page, and no other name for this machine, may speak to it', async () => {
  const ask = (path: string, method: string, headers: Record<string, string>) =>
    fetch(`${address}${path}`, { method, headers }).then(({ status }) => status);
  expect(await ask('dev/nodes', 'POST', { origin: 'http://evil.example' })).toBe(403);
  expect(await ask('dev/nodes/node-2', 'DELETE', { origin: 'http://evil.example' })).toBe(403);
  expect(await ask('dev/state', 'GET', { 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await ask('dev/nodes/node-99', 'DELETE', {})).toBe(400);
  expect(await ask('dev/state', 'GET', {})).toBe(200);
});

test('Ctrl-C ends it cleanly', async () => {
  dev.signal('SIGINT');
  expect(await dev.exited).toEqual({ code: 0, signal: null });
  expect(dev.output).not.toMatch(/"level":"(warn|error|fatal)"/);
});
