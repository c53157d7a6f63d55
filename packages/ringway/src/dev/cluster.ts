import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import {
  ALL_CAPABILITIES,
  createLocator,
  hs256Authenticate,
  insecureAuthenticate,
  type Locator,
  UnauthenticatedError,
} from '@ringway/locator';
import {
  type Member,
  type MemberState,
  MemoryRegistry,
  memoryMembership,
  RingWatcher,
} from '@ringway/membership';
import { createNode, type Node, nodeSettings } from '@ringway/node';
import type { Ring } from '@ringway/ring';
import { isLoopback, KeyFamily, type Logger, readSettings } from '@ringway/service';
import { sdkFiles } from '../sdk-bundle.ts';
import { movedShare, type Place, place, stripes } from './ring-view.ts';

/** A member as the page shows it. */
export interface DevMember {
  readonly id: string;
  readonly state: MemberState;
  readonly incarnation: string;
  readonly publicUrl: string;
  readonly internalUrl: string;
  readonly weight: number;
  /** The part of all keys that it owns, 0 to 1. */
  readonly share: number;
  readonly sessions: number;
}

/** All that the page draws. */
export interface DevState {
  readonly ring: { readonly index: string; readonly checksum: string };
  readonly members: readonly DevMember[];
  /** How many members there may be. */
  readonly most: number;
  /** Ids in the order that `stripes` counts them. */
  readonly slots: readonly string[];
  readonly stripes: readonly number[];
}

/** Something that happened to the cluster. */
export interface DevEvent {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly text: string;
}

interface Events {
  readonly state: [DevState];
  readonly event: [DevEvent];
}

/** How a {@link DevCluster} is made. */
export interface DevClusterOptions {
  readonly nodes: number;
  /** Pages that may open sockets. */
  readonly origins: readonly string[];
  /** Secrets by which users' tokens are signed; undefined: everyone is who they say they are, and may do everything. */
  readonly authKeys: string | undefined;
  readonly logger: Logger;
}

/** Most nodes that the page may start. */
export const MAX_NODES = 12;

/** How often the numbers of sessions are looked at. */
const SESSIONS_MS = 500;
/** Events kept for pages that open later. */
const HISTORY = 50;

/** What a token must say, as for a locator with nothing but keys set. */
const CLAIMS = { issuer: undefined, audience: undefined, userClaim: 'sub', capClaim: 'cap' };

/** What was asked for cannot be done. */
export class DevRefusal extends Error {
  override readonly name = 'DevRefusal';
  readonly code = 'refused';
}

/** A locator and some nodes in this process, on the memory membership, with keys that live as long as it does. */
export class DevCluster extends EventEmitter<Events> {
  /** Keys of the cluster, for the other commands to use. */
  readonly clusterKeys: string = secret();
  readonly locator: Locator;
  readonly #options: DevClusterOptions;
  readonly #ticketKeys: string = secret();
  readonly #registry = new MemoryRegistry();
  readonly #membership = memoryMembership(this.#registry);
  readonly #watcher = new RingWatcher({ membership: this.#membership });
  readonly #nodes = new Map<string, Node>();
  readonly #unfollow: () => void;
  readonly #history: DevEvent[] = [];
  #count = 0;
  #showing: NodeJS.Immediate | undefined;
  #sessionsTimer: NodeJS.Timeout | undefined;
  #sessions = '';

  constructor(options: DevClusterOptions) {
    super();
    this.#options = options;
    const { authKeys } = options;
    const authenticate =
      authKeys === undefined
        ? insecureAuthenticate(ALL_CAPABILITIES)
        : hs256Authenticate(KeyFamily.parse('RINGWAY_AUTH_KEYS', authKeys), CLAIMS);
    this.locator = createLocator({
      membership: this.#membership,
      ticketKeys: KeyFamily.parse('tickets', this.#ticketKeys),
      clusterKeys: KeyFamily.parse('cluster', this.clusterKeys),
      // nobody need log in here, so no name that was made to point to this machine may ask
      authenticate: (request) => {
        if (!isOwnHost(request.headers['host']))
          throw new UnauthenticatedError('Host is not this machine’s own');
        return authenticate(request);
      },
      logger: options.logger.child({ part: 'locator' }),
      origins: options.origins,
      sdk: sdkFiles,
    });
    this.#watcher.subscribe((before, after) => this.#ringChanged(before, after));
    this.#unfollow = this.#registry.follow(() => this.#showSoon());
  }

  async start(): Promise<void> {
    await Promise.all([this.#watcher.start(), this.locator.start()]);
    for (let i = 0; i < this.#options.nodes; i++) await this.addNode();
    this.#sessionsTimer = setInterval(() => this.#lookAtSessions(), SESSIONS_MS);
  }

  /** Starts one more node. @returns its id @throws DevRefusal when there are enough */
  async addNode(): Promise<string> {
    if (this.#nodes.size >= MAX_NODES) throw new DevRefusal(`there are ${MAX_NODES} nodes already`);
    const id = `node-${++this.#count}`;
    const node = createNode({
      settings: readSettings(nodeSettings, {
        RINGWAY_NODE_ID: id,
        RINGWAY_PUBLIC_LISTEN: '127.0.0.1:0',
        RINGWAY_INTERNAL_LISTEN: '127.0.0.1:0',
        RINGWAY_ORIGINS: this.#options.origins.join(','),
        RINGWAY_TICKET_KEYS: this.#ticketKeys,
        RINGWAY_CLUSTER_KEYS: this.clusterKeys,
      }),
      membership: memoryMembership(this.#registry),
      ticketKeys: KeyFamily.parse('tickets', this.#ticketKeys),
      clusterKeys: KeyFamily.parse('cluster', this.clusterKeys),
      logger: this.#options.logger.child({ part: id }),
    });
    this.#nodes.set(id, node);
    try {
      await node.start();
    } catch (error) {
      this.#nodes.delete(id);
      throw error;
    }
    return id;
  }

  /** Takes a node away, gracefully. @throws DevRefusal when there is no such node, or no other */
  async removeNode(id: string): Promise<void> {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new DevRefusal(`there is no node ${id}`);
    if (this.#nodes.size === 1) throw new DevRefusal('the last node stays');
    this.#nodes.delete(id);
    await node.stop();
  }

  async stop(): Promise<void> {
    this.removeAllListeners();
    clearInterval(this.#sessionsTimer);
    this.#unfollow();
    await Promise.all([...this.#nodes.values()].map((node) => node.stop()));
    await this.locator.stop();
    await this.#watcher.close();
    await this.#membership.close();
  }

  /** Where the cluster is and by which keys, as the environment of a program beside it. */
  get environment(): Readonly<Record<string, string>> {
    const { publicUrl, internalUrl } = this.locator;
    const { authKeys } = this.#options;
    return {
      LOCATOR_URL: publicUrl,
      LOCATOR_INTERNAL_URL: internalUrl,
      RINGWAY_CLUSTER_KEYS: this.clusterKeys,
      RINGWAY_INGEST_LOCATORS: internalUrl,
      ...(authKeys !== undefined && { RINGWAY_AUTH_KEYS: authKeys }),
    };
  }

  /** The last events, oldest first. */
  get history(): readonly DevEvent[] {
    return this.#history;
  }

  get state(): DevState {
    const ring = this.#watcher.current;
    const shares = ring.shares();
    const members = this.#registry.snapshot.members.map((member) => ({
      id: member.id,
      state: member.state,
      incarnation: member.incarnation,
      publicUrl: member.publicUrl,
      internalUrl: member.internalUrl,
      weight: member.weight,
      share: shares.get(member.id) ?? 0,
      sessions: this.#nodes.get(member.id)?.sessions ?? 0,
    }));
    return {
      ring: ring.version,
      members,
      most: MAX_NODES,
      slots: ring.members.map(({ id }) => id),
      stripes: stripes(ring),
    };
  }

  /** Where a channel is; undefined while the ring is empty. */
  place(channel: string): Place | undefined {
    return place(this.#watcher.current, channel);
  }

  #ringChanged(before: Ring<Member>, after: Ring<Member>): void {
    const moved = before.size > 0 && after.size > 0 ? `, ${movedShare(before, after)} of the keys moved` : '';
    for (const { id } of after.members) if (!before.has(id)) this.#tell(`${id} joined the ring${moved}`);
    for (const { id } of before.members) if (!after.has(id)) this.#tell(`${id} left the ring${moved}`);
    this.#showSoon();
  }

  #lookAtSessions(): void {
    const sessions = [...this.#nodes.values()].map((node) => node.sessions).join();
    if (sessions !== this.#sessions) this.#showSoon();
    this.#sessions = sessions;
  }

  /** Once for all that changes in one turn of the loop. */
  #showSoon(): void {
    this.#showing ??= setImmediate(() => {
      this.#showing = undefined;
      this.emit('state', this.state);
    });
  }

  #tell(text: string): void {
    const event = { at: Date.now(), text };
    this.#history.push(event);
    if (this.#history.length > HISTORY) this.#history.shift();
    this.emit('event', event);
  }
}

/** A new secret, long enough for every family of keys. */
export function secret(): string {
  return randomBytes(32).toString('hex');
}

function isOwnHost(host: string | readonly string[] | undefined): boolean {
  if (typeof host !== 'string') return false;
  const url = URL.parse(`http://${host}`);
  return url !== null && isLoopback(url.hostname);
}
