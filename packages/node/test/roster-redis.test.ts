import {
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
  startTcpProxy,
} from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RosterRefusedError, RosterUnknownError } from '../src/groups/port.ts';
import { rosterConformance } from './roster-conformance.ts';
import { waitFor } from './support/cluster.ts';
import { redisRoster } from './support/rosters.ts';

let redis: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startRedisCluster(3)]);
});
afterAll(() => Promise.all([redis[Symbol.asyncDispose](), cluster[Symbol.asyncDispose]()]));

for (const [name, urls] of [
  ['redis', () => redis.url],
  ['a redis cluster', () => cluster.urls],
] as const) {
  rosterConformance(name, async () => {
    const rosters = await Promise.all([redisRoster(urls()), redisRoster(urls())]);
    return {
      rosters,
      async [Symbol.asyncDispose]() {
        await Promise.all(rosters.map(({ roster }) => roster.stop()));
      },
    };
  });
}

describe('the roster in redis', () => {
  it('goes round once for all who are read in one turn of the event loop', async () => {
    const { roster } = await redisRoster(redis.url);
    const calls = async () =>
      Number(
        /cmdstat_evalsha:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1] ?? 0,
      );
    await roster.groupsOf('first');
    const before = await calls();
    await Promise.all(Array.from({ length: 100 }, (_, i) => roster.groupsOf(`user-${i}`)));
    expect((await calls()) - before).toBe(1);
    await roster.stop();
  });

  it('refuses while Redis is away, and does not know what was not answered', async () => {
    await using own = await startRedis({ persistent: true });
    const { roster } = await redisRoster(own.url, { timeoutMs: 500 });
    await roster.put('alice', 'a');
    own.freeze();
    await expect(roster.put('alice', 'b')).rejects.toThrow(RosterUnknownError);
    await waitFor(() => !roster.connected, 'the silence to be noticed');
    await expect(roster.put('alice', 'c')).rejects.toThrow(RosterRefusedError);
    await expect(roster.groupsOf('alice')).rejects.toThrow(RosterRefusedError);
    await expect(roster.membersOf('a', '', 1)).rejects.toThrow(RosterRefusedError);
    own.thaw();
    await waitFor(() => roster.connected, 'Redis to be back');
    // the first was sent, and Redis has read it since
    expect(await roster.groupsOf('alice')).toEqual(['a', 'b']);
    await own.restart();
    await waitFor(
      async () => (await roster.groupsOf('alice').catch(() => [])).length === 2,
      'what it has kept',
    );
    await roster.stop();
  });

  it('changes nothing where Redis is full, and says so', async () => {
    await using own = await startRedis();
    const { roster } = await redisRoster(own.url);
    await roster.put('alice', 'a');
    await own.command('CONFIG', 'SET', 'maxmemory', '1');
    await expect(roster.put('alice', 'b')).rejects.toThrow(RosterRefusedError);
    await roster.remove('alice', 'a');
    await own.command('CONFIG', 'SET', 'maxmemory', '0');
    expect(await roster.groupsOf('alice')).toEqual([]);
    expect((await roster.membersOf('b', '', 9)).members).toEqual([]);
    await roster.stop();
  });

  it('sees that it was not told of a change, by the next one and without one', async () => {
    await using own = await startRedis();
    const { roster, user } = await redisRoster(own.url);
    const counter = '{test:groups}:n';
    await roster.put('alice', 'a');
    await waitFor(() => user.changes.length === 1, 'the first change');
    const { doubts } = user;
    await own.command('INCR', counter);
    await roster.put('alice', 'b');
    await waitFor(() => user.doubts === doubts + 1, 'the hole to be seen');
    await own.command('INCR', counter);
    await waitFor(() => user.doubts === doubts + 2, 'the end to be seen', 20_000);
    await roster.stop();
  });

  it('does not break over what others publish on its channel', async () => {
    const failed: string[] = [];
    const { roster, user } = await redisRoster(redis.url, {
      hooks: { failed: (result) => failed.push(result) },
    });
    const junk = ['', 'x', '1:', '2:{', '3:[]', '4:["alice","a",1]', '5:null'];
    for (const text of junk) await redis.command('PUBLISH', '{test:groups}:changes', text);
    await waitFor(() => failed.length === junk.length, 'all of it to be counted');
    expect(new Set(failed)).toEqual(new Set(['unreadable']));
    expect(user.changes).toEqual([]);
    await roster.put('junk', 'a');
    await waitFor(() => user.changes.length === 1, 'a change');
    await roster.stop();
  });

  it('doubts when the channel alone was lost', async () => {
    await using proxy = await startTcpProxy({ host: '127.0.0.1', port: redis.port });
    const { roster, user } = await redisRoster(`redis://127.0.0.1:${proxy.port}`);
    const { doubts } = user;
    proxy.cut();
    await waitFor(() => !roster.connected, 'the break');
    proxy.heal();
    await waitFor(() => roster.connected && user.doubts === doubts + 1, 'to be looked at again');
    await roster.stop();
  });
});
