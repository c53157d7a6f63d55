import { type Membership, memoryMembership, type Snapshot } from '@ringway/membership';
import { buildRing } from '@ringway/ring';
import { describe, expect, it } from 'vitest';
import type { TestClient } from './support/client.ts';
import { metric, metrics, TestCluster, waitFor } from './support/cluster.ts';

/** A cluster in which some nodes are late to see what the registry has, and then see only the last of it. */
class LateCluster extends TestCluster {
  private readonly late = new Set<string>();
  private readonly kept = new Map<string, () => void>();
  private readonly registering = new Map<string, () => void>();

  /** The node sees nothing new from now on; where it is yet to start, it does not register either. */
  hold(id: string): void {
    this.late.add(id);
  }

  /** It sees how things are by now. */
  release(id: string): void {
    this.late.delete(id);
    this.kept.get(id)?.();
    this.kept.delete(id);
  }

  letRegister(id: string): void {
    this.registering.get(id)?.();
  }

  protected override membershipOf(id: string): Membership {
    const inner = memoryMembership(this.registry);
    return {
      register: async (member, observer) => {
        if (this.late.has(id)) await new Promise<void>((resolve) => this.registering.set(id, resolve));
        return inner.register(member, observer);
      },
      watch: (observer) => {
        let seen = false;
        const show = (snapshot: Snapshot): void => {
          seen = true;
          observer.snapshot(snapshot);
        };
        return inner.watch({
          ...observer,
          snapshot: (snapshot) => {
            if (seen && this.late.has(id)) this.kept.set(id, () => show(snapshot));
            else show(snapshot);
          },
        });
      },
      close: () => inner.close(),
    };
  }
}

describe('two changes of the ring that some nodes see as one', () => {
  it('lose nothing of who was home in between, and tell no gap', async () => {
    await using cluster = new LateCluster();
    await cluster.watcher.start();
    const env = { RINGWAY_STOP_GRACE: '8000', RINGWAY_STOP_SPREAD: '0' };
    for (const id of ['node-1', 'node-2', 'node-3']) await cluster.add(id, env);
    await cluster.settled();
    const ring = (...ids: string[]) => buildRing(ids.map((id) => ({ id, weight: 1 })));
    const rings = [
      ring('node-1', 'node-2', 'node-3'),
      ring('node-2', 'node-3'),
      ring('node-2', 'node-3', 'node-4'),
    ];
    let n = 0;
    while (rings.map((one) => one.owner(`group:${n}`)?.id).join() !== 'node-1,node-2,node-4') n++;
    const channel = `group:${n}`;
    const listener = await cluster.connect('listener', cluster.node('node-3'));
    listener.send({ type: 'join', channel });
    await listener.next('joined');
    const speaker = await cluster.connect('speaker', cluster.node('node-2'));
    const sent: string[] = [];
    const say = async (): Promise<void> => {
      const id = `m${sent.length}`;
      sent.push(id);
      speaker.send({ type: 'publish', to: channel, id, data: id });
      await waitFor(() => speaker.all('published').some((frame) => frame.id === id), `${id} to be confirmed`);
    };
    const heard = (client: TestClient): string[] => client.all('message').map(({ id }) => id);
    await say();
    await say();
    await waitFor(() => heard(listener).length === 2, 'the first two');

    cluster.hold('node-3');
    cluster.hold('node-4');
    const starting = cluster.add('node-4', env);
    await waitFor(
      async () => metric(await metrics(cluster.node('node-3')), 'ringway_ring_members') === 3,
      'it',
    );
    const leaving = cluster.remove('node-1');
    await waitFor(() => cluster.watcher.current.size === 2, 'node-1 to leave');
    // now node-2 is home, and node-3 and node-4 do not know it
    await say();
    await say();
    cluster.letRegister('node-4');
    await waitFor(() => cluster.watcher.current.size === 3, 'node-4 to come');
    cluster.release('node-3');
    cluster.release('node-4');
    await starting;
    await say();
    await say();
    await waitFor(() => heard(listener).at(-1) === sent.at(-1), 'the last');
    expect(heard(listener)).toEqual(sent);
    expect(listener.all('gap')).toEqual([]);
    await leaving;
  });
});
