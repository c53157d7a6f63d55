import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cluster, texts, watch } from './support/clients.ts';
import { until } from './support/until.ts';

class FakePage extends EventTarget {
  visibilityState = 'visible';
}

let page: FakePage;
let window: EventTarget;

beforeEach(() => {
  page = new FakePage();
  window = new EventTarget();
  vi.stubGlobal('document', page);
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each(['online', 'visible'])('%s: a connection is probed, a wait is cut short', async (what) => {
  const ringway = await cluster();
  const { client } = watch(ringway, { backoff: () => 1e9 });
  await client.connect();
  const wake = () => {
    if (what === 'online') window.dispatchEvent(new Event('online'));
    else page.dispatchEvent(new Event('visibilitychange'));
  };
  const { session } = ringway.node(0);
  wake();
  await until(() => expect(session.sent('ping')).toHaveLength(1));
  session.socket.terminate();
  await until(() => expect(client.state).toBe('connecting'));
  wake();
  await until(() => expect(client.state).toBe('connected'));
});

test('a page that is hidden is left alone', async () => {
  const ringway = await cluster();
  const { client } = watch(ringway);
  await client.connect();
  page.visibilityState = 'hidden';
  page.dispatchEvent(new Event('visibilitychange'));
  await client.publish('user:bob', 'a barrier');
  expect(ringway.node(0).session.sent('ping')).toEqual([]);
});

test('pagehide closes, pageshow resumes where it was', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  await alice.client.connect();
  const closed = new Promise((resolve) => ringway.node(0).session.socket.once('close', resolve));
  window.dispatchEvent(new Event('pagehide'));
  expect(await closed).toBe(1000);
  expect(alice.states.at(-1)).toEqual({
    old: 'connected',
    new: 'connecting',
    code: 1000,
    reason: 'page hidden',
  });
  ringway.publish('user:alice', 'user:bob', 'm1', 1);
  window.dispatchEvent(new Event('pageshow'));
  await until(() => expect(texts(alice)).toEqual([1]));
  await alice.client.close();
  window.dispatchEvent(new Event('pageshow'));
  expect(alice.client.state).toBe('disconnected');
});
