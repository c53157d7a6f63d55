import { launchChromium, type RunningProcess, waitFor } from '@ringway/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startExample } from './support/examples.ts';

let chat: RunningProcess;
let browser: Browser;
let address: string;
/** The page of `ringway dev`, by which nodes are taken away. */
let cluster: string;
const errors: string[] = [];

beforeAll(async () => {
  chat = await startExample('chat');
  [, cluster = ''] = await chat.waitForOutput(/; see (http:\S+)/, 30_000);
  [, address = ''] = await chat.waitForOutput(/Open (http:\S+)/);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await chat?.stop();
});

/** A window in which someone has signed in. */
async function windowOf(name: string): Promise<Page> {
  const page = await browser.newPage();
  page.on('pageerror', (error) => errors.push(`${name}: ${error.message}`));
  await page.goto(address);
  await page.getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: '# lobby' }).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByLabel('Message').press('Enter');
}

async function open(page: Page, box: string, name: string): Promise<void> {
  await page.getByPlaceholder(box).fill(name);
  await page.getByPlaceholder(box).press('Enter');
  await page.getByRole('heading', { name }).waitFor();
}

async function sees(page: Page, ...rows: readonly string[]): Promise<void> {
  await waitFor(async () => (await page.locator('#messages li').allTextContents()).join() === rows.join(), {
    message: `rows ${rows.join()}`,
  });
}

/** The page is put away, as when one goes to another on a telephone, and looked at again. */
async function put(page: Page, what: 'away' | 'back'): Promise<void> {
  await page.evaluate((name) => dispatchEvent(new Event(name)), what === 'away' ? 'pagehide' : 'pageshow');
  const state = what === 'away' ? 'connecting' : 'connected';
  await waitFor(async () => (await page.getByRole('status').textContent()) === state, { message: state });
}

test('rooms and one-to-one; who was away gets what was said meanwhile; what is lost is told', async () => {
  const alice = await windowOf('alice');
  const bob = await windowOf('bob');
  const again = await windowOf('bob');

  await say(alice, 'hello all');
  await say(bob, 'hello alice');
  for (const page of [alice, bob, again]) await sees(page, 'alice hello all', 'bob hello alice');

  await open(alice, 'talk to', 'bob');
  await say(alice, 'only for you');
  for (const page of [bob, again]) {
    await page.getByRole('button', { name: 'alice' }).click();
    await sees(page, 'alice only for you');
  }
  // in bob's other window, too
  await say(bob, 'thanks');
  for (const page of [alice, bob, again]) await sees(page, 'alice only for you', 'bob thanks');

  await put(bob, 'away');
  for (const text of ['one', 'two', 'three']) await say(alice, text);
  await sees(again, 'alice only for you', 'bob thanks', 'alice one', 'alice two', 'alice three');
  await put(bob, 'back');
  await sees(bob, 'alice only for you', 'bob thanks', 'alice one', 'alice two', 'alice three');

  // with the log in memory the room's new home does not have what the old one said to those who were away
  await open(alice, 'join a room', 'attic');
  await open(bob, 'join a room', 'attic');
  await put(bob, 'away');
  await say(alice, 'nobody hears');
  await sees(alice, 'alice nobody hears');
  await removeHomeOf('group:room-attic');
  await put(bob, 'back');
  await say(alice, 'and on');
  await sees(bob, ' Some messages were lost here.', 'alice and on');
  expect(errors).toEqual([]);
});

async function removeHomeOf(channel: string): Promise<void> {
  const answer = await fetch(`${cluster}dev/place?channel=${encodeURIComponent(channel)}`);
  const { owner } = (await answer.json()) as { readonly owner: string };
  const { status } = await fetch(`${cluster}dev/nodes/${owner}`, { method: 'DELETE' });
  expect(status).toBe(204);
}

test('a page of another origin, and one without a token, are refused', async () => {
  const config = await fetch(`${address}/config`);
  const { locator } = (await config.json()) as { readonly locator: string };
  expect((await fetch(`${locator}/route?userId=alice`)).status).toBe(401);
  const elsewhere = await fetch(`${locator}/route`, { headers: { origin: 'http://127.0.0.1:1' } });
  expect(elsewhere.headers.get('access-control-allow-origin')).toBeNull();
  expect((await fetch(`${address}/token`, { method: 'POST' })).status).toBe(401);
});
