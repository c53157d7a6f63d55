import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Members } from '../src/groups/members.ts';
import { Hub } from '../src/hub/hub.ts';
import { SessionsByUser } from '../src/session/by-user.ts';
import type { Session } from '../src/session/session.ts';
import { waitFor } from './support/cluster.ts';
import { ScriptedRouter } from './support/scripted-router.ts';
import { SocketBench, type SocketPair } from './support/sessions.ts';

const START = { epoch: 'e1', seq: 0 };

describe('while something is under way, a membership', () => {
  let bench: SocketBench;
  let pair: SocketPair;
  let router: ScriptedRouter;
  let byUser: SessionsByUser;
  let members: Members;
  /** What was asked of the roster and not answered yet. */
  let reads: PromiseWithResolvers<readonly string[]>[];
  beforeAll(async () => {
    bench = await SocketBench.start();
    pair = await bench.pair();
  });
  afterAll(() => bench[Symbol.asyncDispose]());
  beforeEach(() => {
    router = new ScriptedRouter();
    byUser = new SessionsByUser();
    reads = [];
    members = new Members({
      hub: new Hub(router, { onKick() {}, onRelieved() {} }),
      byUser,
      roster: {
        groupsOf() {
          const read = Promise.withResolvers<readonly string[]>();
          reads.push(read);
          return read.promise;
        },
      },
    });
  });

  function arrive(): Session {
    const session = bench.sessionOn(pair);
    session.state = 'open';
    session.channels = [{ name: 'user:alice' } as Session['channels'][number]];
    byUser.add(session);
    members.arrived(session);
    return session;
  }

  function end(session: Session): void {
    session.state = 'closed';
    byUser.remove(session);
    members.ended(session);
  }

  function groups(session: Session): string[] {
    return session.channels.slice(1).map(({ name }) => name.slice('group:'.length));
  }

  async function answer(...groups: string[]): Promise<void> {
    reads.shift()?.resolve(groups);
    await new Promise((resolve) => setImmediate(resolve));
  }

  it('is read again where it has changed since it was asked for', async () => {
    const session = arrive();
    members.changed('alice', 'a', true);
    members.changed('alice', 'b', false);
    expect(groups(session)).toEqual(['a']);
    // from before both
    await answer('b');
    expect(groups(session)).toEqual(['a']);
    expect(reads).toHaveLength(1);
    await answer('a');
    expect(groups(session)).toEqual(['a']);
    expect(reads).toHaveLength(0);
  });

  it('is not taken from an answer that is older than a change which nobody was here to see', async () => {
    end(arrive());
    members.changed('alice', 'a', true);
    const session = arrive();
    await answer();
    await answer('a');
    expect(groups(session)).toEqual(['a']);
  });

  it('holds for who comes while it is read, and for who comes once it was', async () => {
    const sessions = [arrive(), arrive()];
    expect(reads).toHaveLength(1);
    await answer('a', 'b');
    sessions.push(arrive());
    expect(reads).toHaveLength(0);
    for (const session of sessions) expect(groups(session)).toEqual(['a', 'b']);
  });

  it('is read once it can be, after it could not', async () => {
    const session = arrive();
    reads.shift()?.reject(new Error('away'));
    await waitFor(() => reads.length === 1, 'another read');
    await answer('a');
    expect(groups(session)).toEqual(['a']);
  });

  it('is made good once the home can be reached, also for who had asked to join before and was refused', async () => {
    const session = arrive();
    await answer();
    let refused = 0;
    members.join(session, 'group:a', { joined() {}, failed: () => refused++ });
    members.changed('alice', 'a', true);
    router.fail('group:a');
    expect(refused).toBe(1);
    expect(groups(session)).toEqual([]);
    await waitFor(() => reads.length === 1, 'another look');
    await answer('a');
    router.accept('group:a', START);
    expect(groups(session)).toEqual(['a']);
  });

  it('ends a join that the home has not answered yet', async () => {
    const session = arrive();
    await answer('a');
    members.changed('alice', 'a', false);
    expect(router.calls).toEqual(['subscribe group:a 1', 'unsubscribe group:a']);
    router.accept('group:a', START);
    expect(groups(session)).toEqual([]);
  });
});
