import type { ConnectJob, Route } from './load/jobs.ts';
import type { Peer, RunningPeer } from './peers/peer.ts';

/** What clients do with a started peer. */
export interface Workload {
  readonly name: string;
  /** Of what a message makes one or many: what the CPU is divided by. */
  readonly unit: 'message' | 'delivery';
  readonly loads: readonly WorkloadLoad[];
  /** Who connects, and sends to whom. */
  cast(peer: Peer, running: RunningPeer, nodes: number): Promise<Pick<ConnectJob, 'callers' | 'routes'>>;
}

export interface WorkloadLoad {
  readonly name: string;
  readonly load: { readonly window: number } | { readonly perSecond: number };
}

/** Name of the load that sends as fast as it is delivered. */
export const FULL = 'full load';
const PER_SECOND = 2000;
/** The other load of {@link oneToOne}. */
export const PACED = `${PER_SECOND}/s`;

/** Pairs, a multiple of every number of nodes. */
const PAIRS = 64;
/** Messages that a pair has under way at full load. */
const WINDOW = 64;

/** 64 pairs of users, each pair across two nodes. */
export const oneToOne: Workload = {
  name: 'one-to-one',
  unit: 'message',
  loads: [
    { name: FULL, load: { window: WINDOW } },
    { name: PACED, load: { perSecond: PER_SECOND } },
  ],
  async cast(peer, running, nodes) {
    const seats = await running.seats(2 * PAIRS);
    return {
      callers: seats.map(({ user, url }) => ({ user, url })),
      routes: Array.from({ length: PAIRS }, (_, index) => {
        const to = PAIRS + receiver(index, nodes, peer.oneHop ?? false);
        return { from: index, user: seats[to]?.user ?? '' };
      }),
    };
  },
};

/** The place, among the receivers, of the one to whom the sender of that place writes. */
function receiver(index: number, nodes: number, sameNode: boolean): number {
  if (sameNode || nodes === 1) return index;
  // Receivers are spread as senders are; each block of senders, one a node, writes to the nodes so many further on.
  const block = Math.floor(index / nodes);
  return block * nodes + ((index + 1 + (block % (nodes - 1))) % nodes);
}

/** As long as a plain frame takes it, and spelled so that it looks like a user's name. */
const GROUP = 'crowd@all';
/** Messages that a sender of a group has under way at full load. */
const GROUP_WINDOW = 4;
const GROUP_PER_SECOND = 50;
/** The other load of {@link groupOf}. */
export const GROUP_PACED = `${GROUP_PER_SECOND}/s`;

/**
 * A group spread over all nodes, and on each a client that is not in it and sends to it. Where there is one hop, each
 * reaches the members on its own node: as many writes a node and message as elsewhere.
 */
export function groupOf(members: number): Workload {
  return {
    name: `group of ${members}`,
    unit: 'delivery',
    loads: [
      { name: FULL, load: { window: GROUP_WINDOW } },
      { name: GROUP_PACED, load: { perSecond: GROUP_PER_SECOND } },
    ],
    async cast(peer, running, nodes) {
      // others than those of the workload before
      const seats = await running.seats(members + nodes, 2 * PAIRS);
      const all = Array.from({ length: members }, (_, index) => index);
      const routes = seats.slice(members).map(({ node }, index): Route => {
        const reached = peer.oneHop ? all.filter((member) => seats[member]?.node === node) : all;
        return { from: members + index, group: GROUP, members: reached };
      });
      return {
        callers: seats.map(({ user, url }, index) => ({
          user,
          url,
          ...(index < members && { group: GROUP }),
        })),
        routes,
      };
    },
  };
}
