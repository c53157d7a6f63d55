import { type Membership, memoryMembership } from '@ringway/membership';
import { HTTP } from '@ringway/protocol';
import { expect, it } from 'vitest';
import { TestCluster, waitFor } from './support/cluster.ts';

/** A registry that shows a node some time after it has taken it, as Consul does: not before a check of it has passed. */
class SlowCluster extends TestCluster {
  private hidden = true;

  show(id: string): void {
    this.hidden = false;
    // a change, which is told
    this.registry.fail(id);
    this.registry.recover(id);
  }

  protected override membershipOf(): Membership {
    const membership = memoryMembership(this.registry);
    return {
      register: (member, observer) => membership.register(member, observer),
      close: () => membership.close(),
      watch: (observer) =>
        membership.watch({
          ...observer,
          snapshot: ({ index, members }) => observer.snapshot({ index, members: this.hidden ? [] : members }),
        }),
    };
  }
}

it('a node is ready when the registry has it in the ring: whoever starts next must find it there', async () => {
  await using cluster = new SlowCluster();
  await cluster.watcher.start();
  const node = await cluster.add('node-1');
  const status = async (): Promise<number> => (await fetch(node.addresses.internalUrl + HTTP.readyz)).status;
  expect(await status()).toBe(503);
  cluster.show('node-1');
  await waitFor(async () => (await status()) === 200, 'the node to be ready');
});
