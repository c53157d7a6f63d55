import { CLOSE, userChannel } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import { metric, metrics, TestCluster, waitFor } from './support/cluster.ts';

describe('a node whose place another start has taken', () => {
  it('confirms nothing any more, sends its sessions on, and ends; the other start is not touched', async () => {
    await using cluster = await TestCluster.start(2, { RINGWAY_STOP_SPREAD: '1000' });
    const old = cluster.node('node-1');
    const userId = cluster.userOn('node-1');
    const channel = userChannel(userId);
    const before = await cluster.connect(userId, old);
    const sender = await cluster.connect(cluster.userOn('node-1', 'sender'), old);

    const replacement = await cluster.add('node-1');
    // in the turn of the replacement: the sessions have not been closed yet
    sender.send({ type: 'publish', to: channel, id: 'lost', data: 'to nobody' });
    const after = await cluster.connect(userId, replacement);
    expect((await before.closed).code).toBe(CLOSE.going_away.code);
    expect(await old.ended).toBeUndefined();
    // where the old one confirmed it, it would be missing here without a word
    const confirmed = sender.all('published').length;
    expect(after.all('message')).toHaveLength(confirmed);

    await waitFor(async () => metric(await metrics(replacement), 'ringway_peer_links') === 1, 'the link');
    expect(cluster.watcher.current.members.map(({ id, incarnation }) => [id, incarnation])).toContainEqual([
      'node-1',
      replacement.incarnation,
    ]);
    const other = await cluster.connect('other', cluster.node('node-2'));
    other.send({ type: 'publish', to: channel, id: 'kept', data: 'to the new one' });
    await other.next('published');
    expect((await after.next('message')).id).toBe('kept');
    expect(after.all('gap')).toEqual([]);
  });
});
