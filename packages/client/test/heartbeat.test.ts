import { expect, test } from 'vitest';
import { Heartbeat } from '../src/heartbeat.ts';
import { cluster, watch } from './support/clients.ts';
import { FakeClock } from './support/clock.ts';
import { until } from './support/until.ts';

function beating() {
  const clock = new FakeClock();
  const told: string[] = [];
  const heartbeat = new Heartbeat(clock, {
    ping: () => told.push('ping'),
    dead: (reason) => told.push(reason),
  });
  heartbeat.start(25_000, 10_000);
  return { clock, told, heartbeat };
}

test('silence for longer than interval and timeout is death, anything heard is life', () => {
  const { clock, told, heartbeat } = beating();
  for (let i = 0; i < 10; i++) {
    clock.advance(30_000);
    heartbeat.heard();
  }
  clock.advance(35_000);
  expect(told).toEqual([]);
  clock.advance(5_000);
  expect(told).toEqual(['nothing was heard for 40000 ms']);
});

test('a short sleep is probed, a long one is death', () => {
  const { clock, told, heartbeat } = beating();
  clock.sleep(20_000);
  expect(told).toEqual(['ping']);
  heartbeat.pong();
  clock.advance(5_000);
  expect(told).toEqual(['ping']);
  clock.sleep(3_600_000);
  expect(told[1]).toContain('nothing was heard');
});

test('a probe without a pong is death; a second one meanwhile is the same', () => {
  const { clock, told, heartbeat } = beating();
  heartbeat.probe();
  heartbeat.probe();
  heartbeat.heard();
  clock.advance(5_000);
  expect(told).toEqual(['ping', 'no answer to a probe']);
});

test('a clock that is set back does not hide a silence', () => {
  const { clock, told } = beating();
  clock.sleep(-3_600_000);
  clock.advance(3_600_000 + 45_000);
  expect(told).toHaveLength(1);
});

test('stopped, it holds no timer and probes nothing', () => {
  const { clock, told, heartbeat } = beating();
  heartbeat.probe();
  heartbeat.stop();
  expect(clock.pending).toBe(0);
  heartbeat.probe();
  expect(told).toEqual(['ping']);
});

test('the client answers a ping, and gives up a node that went silent', async () => {
  const ringway = await cluster();
  const node = ringway.node(0);
  node.welcome = { ping: { intervalMs: 30, timeoutMs: 30 } };
  const { client, states } = watch(ringway);
  await client.connect();
  node.session.send({ type: 'ping' });
  await until(() => expect(node.opened).toBe(2));
  expect(states[2]).toMatchObject({ old: 'connected', new: 'connecting', code: 1006 });
  expect(states[2]?.reason).toContain('nothing was heard');
});

test('a pong goes out at once', async () => {
  const ringway = await cluster();
  const { client } = watch(ringway);
  await client.connect();
  const { session } = ringway.node(0);
  session.send({ type: 'ping' });
  await until(() => expect(session.sent('pong')).toHaveLength(1));
});
