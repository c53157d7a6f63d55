import { setInterval } from 'node:timers/promises';
import { waitFor } from '@ringway/testkit';
import { describe, expect, it } from 'vitest';
import { consulHealth } from './support/consul-health.ts';
import type { Person } from './support/person.ts';
import { useStage } from './support/stage.ts';
import { Stream, streamProblem } from './support/stream.ts';

const stage = useStage();

/** The nodes that Consul lists and believes in. */
async function listed(): Promise<string[]> {
  const health = await consulHealth(stage().cluster);
  return [...health].filter(([, checks]) => checks.every((status) => status === 'passing')).map(([id]) => id);
}

/** How often each process has said that it reads Consul again. */
function confirmed(): number[] {
  const { nodes, locators } = stage().cluster;
  return [...nodes, ...locators].map(({ output }) => output.match(/are confirmed again/g)?.length ?? 0);
}

/** Looks at the rings of all processes until it is ended, and tells the least size that was seen. */
class RingWatch {
  #least = Number.POSITIVE_INFINITY;
  #looks = 0;
  #over = false;
  readonly #watching = this.#watch();

  async end(): Promise<{ readonly least: number; readonly looks: number }> {
    this.#over = true;
    await this.#watching;
    return { least: this.#least, looks: this.#looks };
  }

  async #watch(): Promise<void> {
    const { nodes, locators } = stage().cluster;
    for await (const _ of setInterval(50)) {
      if (this.#over) return;
      const sizes = await Promise.all(
        [...nodes, ...locators].map((each) => each.metric('ringway_ring_members')),
      );
      this.#least = Math.min(this.#least, ...sizes);
      this.#looks++;
    }
  }
}

/** Everything that a cluster does, done once: old and new sessions, every locator, every node, messages across. */
async function worksAsEver(...standing: readonly Person[]): Promise<void> {
  const { cluster } = stage();
  const checksum = stage().ring().version.checksum;
  for (const locator of cluster.locators) {
    const user = stage().userOn('node-2');
    const { nodeId, ring } = await cluster.route(user, { locator });
    expect([nodeId, ring.checksum]).toEqual(['node-2', checksum]);
  }
  const fresh = await Promise.all(
    ['node-1', 'node-2', 'node-3'].map((id) => stage().person(stage().userOn(id))),
  );
  const [first, ...others] = [...fresh, ...standing];
  for (const other of others) {
    const said = `hello ${crypto.randomUUID()}`;
    expect((await first?.tell(other, said))?.reached).toBe(1);
    await other.hears(said);
  }
  for (const { states } of standing) {
    expect(states.map((change) => change.new)).toEqual(['connecting', 'connected']);
  }
}

describe('Consul', () => {
  it('stands still: nothing that runs is disturbed', async () => {
    const { consul } = stage().cluster;
    const alice = await stage().person(stage().userOn('node-1'));
    const bob = await stage().person(stage().userOn('node-3'));
    const stream = new Stream(bob, alice.userId);
    const watch = new RingWatch();
    consul.freeze();
    await worksAsEver(alice, bob);
    // longer than its own checks and the nodes' reads of it take
    await waitFor(() => stream.sent >= 150, { message: 'a while of talk' });
    await worksAsEver(alice, bob);
    consul.thaw();
    await waitFor(async () => (await listed()).length === 3, { message: 'Consul lists the nodes' });
    await worksAsEver(alice, bob);
    await stream.end();
    await alice.hears(stream.sent);
    expect(streamProblem(alice, stream.sent)).toBeUndefined();
    expect(alice.gaps).toEqual([]);
    expect(await watch.end()).toMatchObject({ least: 3 });
  });

  it('is killed and comes back empty: nobody notices, the nodes register again, the ring never shrinks', async () => {
    const { consul, nodes } = stage().cluster;
    const alice = await stage().person(stage().userOn('node-1'));
    const bob = await stage().person(stage().userOn('node-2'));
    const stream = new Stream(bob, alice.userId);
    const watch = new RingWatch();
    const before = confirmed();
    await consul.kill();
    await worksAsEver(alice, bob);
    await waitFor(() => stream.sent >= 150, { message: 'a while of talk' });

    await consul.start();
    await consul.led();
    await waitFor(async () => (await listed()).length === 3, {
      timeout: 30_000,
      message: 'the nodes have registered again',
    });
    expect((await listed()).sort()).toEqual(['node-1', 'node-2', 'node-3']);
    await worksAsEver(alice, bob);
    await stream.end();
    await alice.hears(stream.sent);
    expect(streamProblem(alice, stream.sent)).toBeUndefined();
    expect(alice.gaps).toEqual([]);
    const { least, looks } = await watch.end();
    expect(least).toBe(3);
    expect(looks).toBeGreaterThan(10);
    for (const { output } of nodes) expect(output).toMatch(/registered again/);
    // between two looks nothing shrank either
    for (const { output } of nodes) {
      const sizes = [...output.matchAll(/"members":(\d+)\b.*the ring changed/g)].map(([, size]) =>
        Number(size),
      );
      expect(sizes.slice(sizes.indexOf(3)).every((size) => size === 3)).toBe(true);
    }
    // and the ring lives: who goes now is missed
    await waitFor(() => confirmed().every((count, i) => count > (before[i] ?? 0)), {
      message: 'all have read the ring again',
    });
    await stage().cluster.node('node-3').stop();
    await stage().settled();
    await stage().cluster.node('node-3').start();
    await stage().settled();
  });
});
