import { describe, expect, it } from 'vitest';
import { MovePlan } from '../src/session/move-plan.ts';
import { type FakeSession, MoverBench, member } from './support/movers.ts';

const MINUTE = 60_000;

/** Sessions here whose home is another node. */
function guests(bench: MoverBench, home: string, count: number): FakeSession[] {
  const found: FakeSession[] = [];
  while (found.length < count) {
    const [session] = bench.add(1, true) as [FakeSession];
    if (bench.ring.ownerAt(session.point)?.id === home) found.push(session);
    else bench.sessions.delete(session);
  }
  return found;
}

function guestOf(bench: MoverBench): FakeSession {
  return guests(bench, 'b', 1)[0] as FakeSession;
}

describe('a plan', () => {
  it('does each once, in another order, spread over its time', () => {
    const items = Array.from({ length: 1_000 }, (_, i) => i);
    const plan = new MovePlan(items, 0, 10_000, Math.random);
    const done: number[] = [];
    for (let now = 0; now <= 10_000; now += 100) {
      const due = plan.due(now);
      expect(due.length).toBeLessThanOrEqual(12);
      done.push(...due);
    }
    expect(plan.finished).toBe(true);
    expect(done).not.toEqual(items);
    expect([...done].sort((a, b) => a - b)).toEqual(items);
  });

  it('without a time is done at once', () => {
    expect(new MovePlan([1, 2, 3], 5, 0, Math.random).due(5)).toHaveLength(3);
    expect(new MovePlan([], 5, 100, Math.random).finished).toBe(true);
  });
});

describe('a node that joins the ring', () => {
  it('gets the sessions that it is the home of now, and no others', () => {
    const bench = new MoverBench(['a', 'b']);
    const sessions = bench.add(300);
    bench.change(['a', 'b', 'c']);
    bench.pass(5_000);
    const moved = sessions.filter(({ point }) => bench.ring.ownerAt(point)?.id === 'c');
    expect(moved.length).toBeGreaterThan(50);
    expect(new Set(bench.told.map(({ session }) => session))).toEqual(new Set(moved));
    expect(bench.told).toHaveLength(moved.length);
    for (const { target, avoid } of bench.told) expect([target.id, avoid]).toEqual(['c', []]);
  });

  it('is sent no more than the rate a second, and not before it sees the same ring', () => {
    const bench = new MoverBench(['a'], { rate: 20, deadlineMs: 600_000 });
    bench.add(200);
    bench.unreached.add('b');
    bench.change(['a', 'b']);
    bench.pass(3_000);
    expect(bench.told).toEqual([]);
    bench.unreached.clear();
    bench.pass(30_000);
    expect(bench.told.length).toBeGreaterThan(70);
    for (const { at } of bench.told) {
      const second = bench.told.filter((one) => one.at >= at && one.at < at + 1_000);
      expect(second.length).toBeLessThanOrEqual(22);
    }
    expect(bench.mover.wantedCount).toBe(0);
    expect(bench.mover.pendingCount).toBe(bench.told.length);
  });

  it('and leaves it at once gets none of those who had not been told, and all of the others may stay', () => {
    const bench = new MoverBench(['a', 'b'], { rate: 10, spreadMs: 10_000 });
    bench.add(200);
    bench.change(['a', 'b', 'c']);
    bench.pass(1_000);
    const told = bench.told.length;
    expect(told).toBeGreaterThan(3);
    bench.change(['a', 'b']);
    bench.pass(MINUTE);
    expect(bench.told).toHaveLength(told);
    // told for nothing: they are not closed for not having gone
    expect(bench.closed).toEqual([]);
    expect(bench.results.get('stayed')).toBe(told);
  });
});

describe('a session that was told', () => {
  it('is closed at the deadline when it has not gone, and asks the locator', () => {
    const bench = new MoverBench(['a', 'b']);
    const session = guestOf(bench);
    bench.arrive(session);
    bench.pass(1_000);
    expect(bench.told).toHaveLength(1);
    bench.pass(9_000);
    expect(bench.closed).toEqual([]);
    bench.pass(1_500);
    expect(bench.closed).toMatchObject([{ session, name: 'moved' }]);
    expect(bench.results).toEqual(
      new Map([
        ['sent', 1],
        ['expired', 1],
      ]),
    );
  });

  it('and goes is counted as one that followed', () => {
    const bench = new MoverBench(['a', 'b']);
    const [one, other] = [guestOf(bench), guestOf(bench)];
    for (const session of [one, other]) bench.arrive(session);
    bench.pass(2_000);
    expect(bench.mover.pendingCount).toBe(2);
    bench.end(one, true);
    bench.end(other, false);
    expect(bench.mover.pendingCount).toBe(0);
    expect(bench.results).toEqual(
      new Map([
        ['sent', 2],
        ['followed', 1],
        ['gone', 1],
      ]),
    );
    bench.pass(MINUTE);
    expect(bench.told).toHaveLength(2);
    expect(bench.closed).toEqual([]);
  });

  it('and cannot get there stays, and is asked less and less often', () => {
    const bench = new MoverBench(['a', 'b']);
    const session = guestOf(bench);
    bench.arrive(session);
    const times: number[] = [];
    for (let at = 0; at < 3 * 60 * MINUTE; at += 500) {
      bench.pass(500);
      if (bench.told.length === times.length) continue;
      times.push(bench.time);
      bench.mover.failed(session);
    }
    expect(bench.closed).toEqual([]);
    expect(times.length).toBeGreaterThan(10);
    // 5 s, doubled up to 10 minutes: some 8 in the first quarter of an hour, then one every 10 minutes or so
    expect(times.length).toBeLessThan(35);
    const waits = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(Math.min(...waits)).toBeGreaterThan(3_500);
    expect(Math.max(...waits)).toBeLessThan(14 * MINUTE);
    expect(waits.at(-1)).toBeGreaterThan(7 * MINUTE);
  });

  it('and could not get to one start of its home is sent to the next at once', () => {
    const bench = new MoverBench(['a', 'b']);
    const session = guestOf(bench);
    bench.arrive(session);
    bench.pass(1_000);
    bench.mover.failed(session);
    bench.pass(1_000);
    expect(bench.told).toHaveLength(1);
    bench.change(['a', member('b', '2')]);
    bench.pass(1_500);
    expect(bench.told.map(({ target }) => target.incarnation)).toEqual(['1', '2']);
  });

  it('is told nothing more while that lasts, whatever the ring does', () => {
    const bench = new MoverBench(['a', 'b']);
    const session = guestOf(bench);
    bench.arrive(session);
    bench.pass(1_000);
    for (let i = 0; i < 10; i++) {
      bench.change(i % 2 ? ['a', 'b'] : ['a', 'b', 'c', 'd']);
      bench.pass(500);
    }
    expect(bench.told).toHaveLength(1);
  });
});

describe('a guest', () => {
  it('that a locator with an older ring has sent here goes home', () => {
    const bench = new MoverBench(['a', 'b', 'c']);
    const [session] = guests(bench, 'c', 1) as [FakeSession];
    bench.arrive(session);
    bench.pass(1_500);
    expect(bench.told).toMatchObject([{ session, target: { id: 'c' } }]);
  });

  it('whose ticket avoided its home is left alone, until the ring changes', () => {
    const bench = new MoverBench(['a', 'b', 'c']);
    const [session, other] = guests(bench, 'b', 2) as [FakeSession, FakeSession];
    bench.arrive(session, ['b']);
    bench.mover.refreshed(other, ['b']);
    bench.pass(9 * MINUTE);
    expect(bench.told).toEqual([]);
    bench.hear(['c']);
    bench.hear([]);
    bench.pass(10_000);
    expect(bench.told).toEqual([]);
    bench.change(['a', 'b']);
    bench.pass(10_000);
    expect(new Set(bench.told.map((one) => one.session))).toEqual(new Set([session, other]));
  });

  it('or 10 minutes have passed', () => {
    const bench = new MoverBench(['a', 'b']);
    const [session] = guests(bench, 'b', 1) as [FakeSession];
    bench.arrive(session, ['b']);
    bench.pass(10 * MINUTE);
    expect(bench.told).toEqual([]);
    bench.pass(10_000);
    expect(bench.told).toHaveLength(1);
  });

  it('of an owner that is down is not sent to whoever stands in for it', () => {
    const bench = new MoverBench(['a', 'b', 'c']);
    const sessions = guests(bench, 'b', 40);
    bench.hear(['b']);
    for (const session of sessions) bench.arrive(session);
    bench.pass(MINUTE);
    expect(bench.told).toEqual([]);
    // once the registry has noticed, it is no stand-in any more
    bench.change(['a', 'c']);
    bench.pass(5_000);
    const elsewhere = sessions.filter(({ point }) => bench.ring.ownerAt(point)?.id === 'c');
    expect(elsewhere.length).toBeGreaterThan(0);
    expect(new Set(bench.told.map(({ session }) => session))).toEqual(new Set(elsewhere));
  });

  it('that has come by a move rests before the next', () => {
    const bench = new MoverBench(['a', 'b']);
    const [session] = guests(bench, 'b', 1) as [FakeSession];
    bench.arrive(session, [], true);
    bench.pass(2_900);
    expect(bench.told).toEqual([]);
    bench.pass(12_000);
    expect(bench.told).toHaveLength(1);
  });

  it('is moved nowhere by a node that is itself out of the ring', () => {
    const bench = new MoverBench(['a', 'b']);
    bench.add(50);
    bench.change(['b']);
    bench.pass(MINUTE);
    expect(bench.told).toEqual([]);
    bench.change(['a', 'b']);
    bench.pass(MINUTE);
    expect(bench.told).toEqual([]);
  });
});

describe('the blunt way', () => {
  it('closes those concerned, spread, and tells none', () => {
    const bench = new MoverBench(['a'], { mode: 'close', rate: 50 });
    const sessions = bench.add(200);
    bench.change(['a', 'b']);
    const moved = sessions.filter(({ point }) => bench.ring.ownerAt(point)?.id === 'b');
    bench.pass(10_000);
    expect(bench.told).toEqual([]);
    expect(new Set(bench.closed.map(({ session }) => session))).toEqual(new Set(moved));
    expect(bench.closed.every(({ name }) => name === 'moved')).toBe(true);
    for (const { at } of bench.closed) {
      const second = bench.closed.filter((one) => one.at >= at && one.at < at + 1_000);
      expect(second.length).toBeLessThanOrEqual(54);
    }
  });

  it('of moving nobody at all leaves guests where they are', () => {
    const bench = new MoverBench(['a'], { mode: 'off' });
    bench.add(20);
    bench.change(['a', 'b']);
    bench.pass(MINUTE);
    bench.mover.drain({ rate: 10, spreadMs: 10 });
    bench.pass(MINUTE);
    expect([bench.told, bench.closed, bench.mover.idle]).toEqual([[], [], true]);
  });
});

describe('a drain', () => {
  it('sends everyone to where they will belong without this node, also while the ring still has it', () => {
    const bench = new MoverBench(['a', 'b', 'c']);
    const sessions = bench.add(100);
    bench.mover.drain({ rate: 1_000, spreadMs: 500 });
    expect(bench.mover.idle).toBe(false);
    bench.pass(1_000);
    expect(bench.told).toHaveLength(100);
    for (const { session, target, avoid } of bench.told) {
      expect(target.id).toBe(bench.ring.ownersAt(session.point, 2)[1]?.id);
      expect(avoid).toEqual(['a']);
    }
    for (const session of sessions) bench.end(session);
    expect(bench.mover.idle).toBe(true);
    expect(bench.results.get('followed')).toBe(100);
  });

  it('asks those once more who could not go before, and then no more', () => {
    const bench = new MoverBench(['a', 'b']);
    const [session] = bench.add(1) as [FakeSession];
    bench.change(['b', 'c']);
    for (let i = 0; i < 2; i++) {
      bench.mover.drain({ rate: 100, spreadMs: 0 });
      bench.pass(100);
      bench.mover.failed(session);
      expect(bench.mover.idle).toBe(true);
    }
    expect(bench.told).toHaveLength(2);
  });

  it('without anywhere to go, or with nobody reached, is not waited for', () => {
    const alone = new MoverBench(['a']);
    alone.add(10);
    alone.mover.drain({ rate: 100, spreadMs: 0 });
    alone.pass(100);
    expect(alone.mover.idle).toBe(true);
    const deaf = new MoverBench(['a', 'b']);
    deaf.add(10);
    deaf.unreached.add('b');
    deaf.mover.drain({ rate: 100, spreadMs: 0 });
    deaf.pass(1_000);
    expect(deaf.mover.idle).toBe(false);
    deaf.pass(5_000);
    expect(deaf.mover.idle).toBe(true);
    expect(deaf.told).toEqual([]);
  });

  it('that is taken back leaves those who have not been told', () => {
    const bench = new MoverBench(['a', 'b']);
    bench.add(100);
    bench.change(['b']);
    bench.mover.drain({ rate: 10, spreadMs: 0 });
    bench.pass(1_000);
    const told = bench.told.length;
    expect(told).toBeGreaterThan(5);
    bench.change(['a', 'b']);
    bench.mover.stay();
    bench.pass(MINUTE);
    expect(bench.told).toHaveLength(told);
    expect(bench.closed).toEqual([]);
  });
});
