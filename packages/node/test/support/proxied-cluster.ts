import {
  type Member,
  type Membership,
  type MembershipObserver,
  type MembershipWatch,
  memoryMembership,
  type Registration,
  type Snapshot,
} from '@ringway/membership';
import { freePort, startTcpProxy, type TcpProxy } from '@ringway/testkit';
import { TestCluster } from './cluster.ts';

/** A registry in which a node sees others at addresses of its own, so that each of its links can be broken by itself. */
class Detoured implements Membership {
  private readonly inner: Membership;
  private readonly detour: (member: Member) => string;

  constructor(inner: Membership, detour: (member: Member) => string) {
    this.inner = inner;
    this.detour = detour;
  }

  register(...args: Parameters<Membership['register']>): Promise<Registration> {
    return this.inner.register(...args);
  }

  watch(observer: MembershipObserver): MembershipWatch {
    const watch = this.inner.watch({ snapshot: (snapshot) => observer.snapshot(this.seen(snapshot)) });
    return {
      ready: watch.ready,
      sinceConfirmed: () => watch.sinceConfirmed(),
      reread: async () => this.seen(await watch.reread()),
      saidLeaving: (id, incarnation) => watch.saidLeaving(id, incarnation),
      close: () => watch.close(),
    };
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private seen({ index, members }: Snapshot): Snapshot {
    return { index, members: members.map((member) => ({ ...member, internalUrl: this.detour(member) })) };
  }
}

/** Nodes whose every link goes through a proxy of its own: `node-1` reaches `node-2` by one, `node-2` `node-1` by another. */
export class ProxiedCluster extends TestCluster {
  private readonly ports = new Map<string, number>();
  private readonly proxies = new Map<string, TcpProxy>();

  /** Starts `count` of the `all` nodes that there will ever be; the others may be added later. */
  static async startProxied(
    count: number,
    env: Record<string, string> = {},
    all = count,
  ): Promise<ProxiedCluster> {
    const cluster = new ProxiedCluster();
    const ids = Array.from({ length: all }, (_, i) => `node-${i + 1}`);
    for (const id of ids) cluster.ports.set(id, await freePort());
    for (const from of ids) {
      for (const to of ids) {
        if (from !== to) {
          cluster.proxies.set(`${from} ${to}`, await startTcpProxy({ port: cluster.ports.get(to) ?? 0 }));
        }
      }
    }
    await cluster.watcher.start();
    for (const id of ids.slice(0, count)) await cluster.add(id, env);
    await cluster.settled();
    return cluster;
  }

  /** The way by which one node reaches another. */
  way(from: string, to: string): TcpProxy {
    const proxy = this.proxies.get(`${from} ${to}`);
    if (!proxy) throw new Error(`no way from ${from} to ${to}`);
    return proxy;
  }

  /** Both ways between two nodes. */
  between(a: string, b: string): TcpProxy[] {
    return [this.way(a, b), this.way(b, a)];
  }

  /** Every way to and from a node. */
  around(id: string): TcpProxy[] {
    return [...this.proxies].filter(([name]) => name.split(' ').includes(id)).map(([, proxy]) => proxy);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.proxies.values()) proxy.heal();
    await super[Symbol.asyncDispose]();
    for (const proxy of this.proxies.values()) await proxy[Symbol.asyncDispose]();
  }

  protected override envOf(id: string): Record<string, string> {
    const port = this.ports.get(id);
    return port === undefined ? {} : { RINGWAY_INTERNAL_LISTEN: `127.0.0.1:${port}` };
  }

  protected override membershipOf(id: string): Membership {
    return new Detoured(memoryMembership(this.registry), (member) => {
      const proxy = this.proxies.get(`${id} ${member.id}`);
      return proxy ? `http://127.0.0.1:${proxy.port}` : member.internalUrl;
    });
  }
}
