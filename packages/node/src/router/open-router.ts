import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Member, RingWatcher } from '@ringway/membership';
import type { MovedRanges, Ring } from '@ringway/ring';
import type { KeyFamily, Logger } from '@ringway/service';
import type { Registry } from 'prom-client';
import type { Log } from '../log/port.ts';
import type { Tenures } from '../log/tenures.ts';
import type { Peers } from '../peers/peers.ts';
import type { Places } from '../session/places.ts';
import type { NodeSettings } from '../settings.ts';
import { openBusRouter } from './open-bus-router.ts';
import { openRingRouter } from './open-ring-router.ts';
import type { LocalChannels, Router } from './port.ts';
import type { Presence } from './presence/port.ts';

/** What a router needs beside its settings. */
export interface RouterContext {
  readonly incarnation: string;
  readonly keys: KeyFamily;
  readonly log: Log;
  readonly tenures: Tenures;
  readonly watcher: RingWatcher;
  readonly logger: Logger;
  readonly random: () => number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
  readonly wallClock: () => number;
  /** A link to a peer was refused or given up. */
  onPeerRefused(reason: string, peer: string | undefined): void;
}

/** What a router counts, for the metrics. */
export interface RouterCounts {
  /** Channels with sessions here whose home is another node. */
  readonly guests: number;
  /** Channels whose holders this node sends to should it become their home. */
  readonly standbys: number;
  /** Publications from other nodes, and deliveries to them. */
  readonly relayed: number;
  /** Publications without an answer that could not be placed. */
  readonly dropped: number;
  /** Repeats that were dropped before they came to the hub. */
  readonly repeats: number;
  readonly mismatches: number;
  readonly stops: number;
  readonly peers: { readonly open: number; readonly wanted: number };
}

/** The router that the settings ask for, and what the node needs of it beside the port. */
export interface OpenedRouter {
  readonly router: Router;
  /** Undefined where nobody is home of anything, and so nobody knows who is there. */
  readonly presence: Presence | undefined;
  readonly places: Places;
  /** Its links to the other nodes, where it has such. */
  readonly peers?: Peers;
  readonly counts: RouterCounts;
  /** Whether all that this node was home of is in other hands, once it has left the ring. */
  readonly channelsClosed: boolean;
  /** Told when sessions may belong elsewhere. */
  onMoved: (moved: MovedRanges<Member>) => void;
  start(local: LocalChannels, ring: () => Ring<Member>): Promise<void>;
  setRing(ring: Ring<Member>): void;
  /** Another start of this node has its place. */
  abdicate(): void;
  /** The node is on its way out: whether it stood still does not matter any more. */
  calm(): void;
  acceptPeer(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Adds what this router measures beside the counts. */
  register(registry: Registry): void;
}

/** Opens the router; nothing is connected before `start`. @throws SettingsError */
export function openRouter(settings: NodeSettings, context: RouterContext): OpenedRouter {
  return settings.router === 'ring'
    ? openRingRouter(settings, context)
    : openBusRouter(settings, settings.router, context);
}
