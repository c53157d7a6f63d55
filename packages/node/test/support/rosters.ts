import { createLogger } from '@ringway/service';
import type { SyncLink } from '../../src/groups/membership-sync.ts';
import { MemoryRoster, type RosterPeers } from '../../src/groups/memory.ts';
import type { Roster, RosterUser } from '../../src/groups/port.ts';
import { RedisRoster, type RedisRosterOptions } from '../../src/groups/redis.ts';
import { redisAddress } from '../../src/log/redis-url.ts';
import { checkControl } from '../../src/peers/check-control.ts';
import type { Inbound } from '../../src/peers/inbound.ts';
import type { Outbound } from '../../src/peers/outbound.ts';
import type { PeerParty } from '../../src/peers/peers.ts';
import { batchHeader, type Control, decodeBatch, KIND } from '../../src/peers/wire.ts';

/** What a node is told, in order; and the memberships that follow from it. */
export class RecordedUser implements RosterUser {
  readonly changes: [userId: string, group: string, present: boolean][] = [];
  doubts = 0;

  changed(...change: [string, string, boolean]): void {
    this.changes.push(change);
  }

  doubtful(): void {
    this.doubts++;
  }
}

/** A roster and who is told by it. */
export interface RosterNode<R extends Roster = Roster> {
  readonly roster: R;
  readonly user: RecordedUser;
}

export interface NetworkOptions {
  readonly maxUserGroups?: number;
  readonly maxMemberships?: number;
  readonly timeoutMs?: number;
  /** How long the start waits for a peer that is silent; `timeoutMs` by default. */
  readonly startMs?: number;
}

/** A dialled link between two rosters of one process: records go through the wire format, in order, in later turns. */
class LoopLink implements SyncLink {
  readonly member: { readonly id: string };
  readonly network: RosterNetwork;
  readonly from: string;
  open = false;
  /** Counts up with each opening: what was sent before a break does not come behind it. */
  private opened = 0;

  constructor(network: RosterNetwork, from: string, to: string) {
    this.network = network;
    this.from = from;
    this.member = { id: to };
  }

  send(record: string): boolean {
    if (!this.open) return false;
    this.carry(record, (control) => {
      const back = { nodeId: this.from, send: (answer: string) => this.answer(answer) } as Inbound;
      for (const party of this.network.parties(this.member.id)) party.onRequest(back, control);
    });
    return true;
  }

  up(): void {
    this.open = true;
    this.opened++;
    for (const party of this.network.parties(this.from)) party.onLinkOpen(this as unknown as Outbound);
  }

  down(): void {
    if (!this.open) return;
    this.open = false;
    for (const party of this.network.parties(this.from)) party.onLinkDown(this as unknown as Outbound);
  }

  private answer(record: string): void {
    this.carry(record, (control) => {
      for (const party of this.network.parties(this.from))
        party.onReply(this as unknown as Outbound, control);
    });
  }

  private carry(record: string, deliver: (control: Control) => void): void {
    const { opened } = this;
    this.network.flying++;
    const later =
      this.network.delayMs === 0 ? setImmediate : (run: () => void) => setTimeout(run, this.network.delayMs);
    later(() => {
      this.network.flying--;
      if (!this.open || this.opened !== opened) return;
      for (const one of decodeBatch(Buffer.from(batchHeader('') + record, 'latin1')).records)
        if (one.kind === KIND.control && typeof checkControl(one.control) === 'object') deliver(one.control);
    });
  }
}

/** Rosters in memory, with links that can be cut and made again. */
export class RosterNetwork {
  readonly nodes = new Map<string, RosterNode<MemoryRoster>>();
  /** Records on their way. */
  flying = 0;
  /** How long a record is on its way, in milliseconds; 0 for as short as that goes. */
  delayMs = 0;
  /** Nodes that have heard nobody for a while, and do not know it yet by their links. */
  readonly stoodStill = new Set<string>();
  /** Added to the clocks of each node, in milliseconds. */
  readonly skews = new Map<string, number>();
  private readonly peers = new Map<string, RosterPeers & { readonly out: Map<string, LoopLink> }>();
  private readonly options: NetworkOptions;

  constructor(options: NetworkOptions = {}) {
    this.options = options;
  }

  static async start(count: number, options: NetworkOptions = {}): Promise<RosterNetwork> {
    const network = new RosterNetwork(options);
    for (let i = 1; i <= count; i++) await network.add(`node-${i}`);
    return network;
  }

  /** A new node, with links to all; it has started when this resolves. */
  async add(id: string, skewMs = 0): Promise<RosterNode<MemoryRoster>> {
    const out = new Map<string, LoopLink>();
    const { stoodStill } = this;
    const peers = {
      out,
      get heard() {
        return !stoodStill.has(id);
      },
      parties: [] as PeerParty[],
      links: () => out.values(),
      get: (to: string) => out.get(to),
      counts: () => ({ wanted: out.size }),
      hearing: {
        hearsHalf: () => 2 * ([...out.values()].filter(({ open }) => open).length + 1) >= out.size + 1,
      },
    };
    const { maxUserGroups = 100, maxMemberships = 100_000, timeoutMs = 2_000 } = this.options;
    const { startMs = timeoutMs } = this.options;
    this.skews.set(id, skewMs);
    const roster = new MemoryRoster({
      peers,
      maxUserGroups,
      maxMemberships,
      timeoutMs,
      startMs,
      mostStartMs: 60_000,
      now: () => performance.now(),
      wallClock: () => Date.now() + (this.skews.get(id) ?? 0),
      random: Math.random,
    });
    for (const [other, theirs] of this.peers) {
      out.set(other, new LoopLink(this, id, other));
      theirs.out.set(id, new LoopLink(this, other, id));
    }
    this.peers.set(id, peers);
    const node = { roster, user: new RecordedUser() };
    this.nodes.set(id, node);
    const started = roster.start(node.user);
    for (const other of out.keys()) this.heal(id, other);
    await started;
    return node;
  }

  node(id: string): RosterNode<MemoryRoster> {
    const node = this.nodes.get(id);
    if (!node) throw new Error(`no ${id}`);
    return node;
  }

  /** Ends a node as a crash does. */
  kill(id: string): void {
    for (const other of this.peers.keys()) this.cut(id, other);
    this.nodes.delete(id);
    this.peers.delete(id);
    for (const { out } of this.peers.values()) out.delete(id);
  }

  cut(a: string, b: string): void {
    this.peers.get(a)?.out.get(b)?.down();
    this.peers.get(b)?.out.get(a)?.down();
  }

  heal(a: string, b: string): void {
    for (const link of [this.peers.get(a)?.out.get(b), this.peers.get(b)?.out.get(a)])
      if (link && !link.open) link.up();
  }

  healAll(): void {
    for (const a of this.peers.keys()) for (const b of this.peers.keys()) if (a < b) this.heal(a, b);
  }

  /** The node does as one whose version knows none of these controls. */
  forgetKinds(id: string): void {
    this.peers.get(id)?.parties.splice(0);
  }

  parties(id: string): readonly PeerParty[] {
    return this.peers.get(id)?.parties ?? [];
  }

  /** Until nothing is on its way any more. */
  async quiet(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.flying > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes.values()].map(({ roster }) => roster.stop()));
  }
}

/** A roster of one node that is alone. */
export function loneRoster(): MemoryRoster {
  return new MemoryRoster({
    peers: {
      parties: [],
      links: () => [],
      get: () => undefined,
      counts: () => ({ wanted: 0 }),
      hearing: { hearsHalf: () => true },
      heard: true,
    },
    maxUserGroups: 100,
    maxMemberships: 1_000,
    timeoutMs: 1_000,
    startMs: 1_000,
    mostStartMs: 1_000,
    now: () => performance.now(),
    wallClock: () => Date.now(),
    random: Math.random,
  });
}

/** A roster in Redis, started; `urls` are separated by commas. */
export async function redisRoster(
  urls: string,
  options: Partial<RedisRosterOptions> = {},
): Promise<RosterNode<RedisRoster>> {
  const roster = new RedisRoster({
    address: redisAddress(urls.split(',')),
    cluster: 'test',
    maxUserGroups: 3,
    timeoutMs: 5_000,
    name: 'test',
    logger: createLogger({ name: 'test', level: 'silent', pretty: false }),
    hooks: { failed() {} },
    random: Math.random,
    now: () => performance.now(),
    ...options,
  });
  const user = new RecordedUser();
  await roster.start(user);
  return { roster, user };
}
