import { setTimeout as sleep } from 'node:timers/promises';
import { buildRing } from '@ringway/ring';
import { type Cluster, type ClusterProcess, waitFor } from '@ringway/testkit';
import type { RingwayFleet, SocketIoFleet } from '../peers/fleet.ts';
import { percentile } from '../support/stats.ts';
import { CoreWatch } from './core-use.ts';
import { Crowd } from './crowd.ts';
import type { Told } from './jobs.ts';
import type { Change, FleetRow } from './row.ts';

/** How much of everything. */
export interface FleetLoad {
  readonly clients: number;
  readonly streams: number;
  /** Messages a second of all others together. */
  readonly perSecond: number;
  /** How long the phases before and after a change are. */
  readonly quietMs: number;
}

/** Between two messages of a steady stream, in milliseconds. */
export const INTERVAL_MS = 100;
/** RINGWAY_MOVE_RATE as it is when nobody sets it. */
export const MOVE_RATE = 500;
const AT_ONCE = 100;
/** No change may take longer. */
const LIMIT_MS = 90_000;

/** A fleet of Ringway with its clients. */
export class RingwayScenes {
  readonly #cluster: Cluster;
  readonly #crowd: Crowd;
  readonly #load: FleetLoad;
  readonly #users: readonly string[];

  constructor({ cluster }: RingwayFleet, crowd: Crowd, load: FleetLoad, home?: string) {
    this.#cluster = cluster;
    this.#crowd = crowd;
    this.#load = load;
    const users: string[] = [];
    const ring = this.#ring();
    for (let i = 0; users.length < load.clients; i += 1) {
      if (home === undefined || ring.owner(`user:u${i}`)?.id === home) users.push(`u${i}`);
    }
    this.#users = users;
  }

  async arrive(): Promise<void> {
    await this.#crowd.arrive({
      kind: 'sdk',
      names: this.#users,
      addresses: [this.#cluster.locator.publicUrl],
      tokens: this.#users.map((user) => this.#cluster.callerToken(user, { expiresIn: 3600 })),
      atOnce: AT_ONCE,
    });
    await this.#atHome();
  }

  /** One node more: moved at most what falls to it. */
  async grow(): Promise<FleetRow> {
    const nodes = this.#running().length + 1;
    return this.#planned('3 -> 4', this.#load.clients / nodes, async () => {
      await this.#cluster.addNode();
      await this.#atHome();
    });
  }

  /** The latest node goes as an operator lets it go. */
  async shrink(): Promise<FleetRow> {
    const nodes = this.#running();
    return this.#planned('4 -> 3', this.#load.clients / nodes.length, () => this.#end(nodes.at(-1)));
  }

  /** A node with all sessions goes; the others are to take them at the pace that is set. */
  async drain(): Promise<FleetRow> {
    const row = await this.#planned('drain of one node', this.#load.clients, () =>
      this.#end(this.#running()[0]),
    );
    return { ...row, rate: MOVE_RATE };
  }

  async kill(): Promise<FleetRow> {
    const crowd = this.#crowd;
    const [victim] = this.#running().slice(1);
    if (!victim) throw new Error('no node to kill');
    await begin(crowd, this.#load);
    const cores = this.#cores();
    const at = performance.timeOrigin + performance.now();
    await victim.kill();
    await this.#allOff(victim.id);
    const used = cores();
    const told = await end(crowd, this.#load, victim.id);
    return killedRow('Ringway', 'SIGKILL, 1 of 3', this.#load, at, used, told);
  }

  async #planned(change: Change, ideal: number, act: () => Promise<unknown>): Promise<FleetRow> {
    const crowd = this.#crowd;
    const sentBefore = await this.#sent();
    await begin(crowd, this.#load);
    const cores = this.#cores();
    const at = performance.timeOrigin + performance.now();
    const gone = await act();
    const used = cores();
    const told = await end(crowd, this.#load);
    return {
      peer: 'Ringway',
      change,
      clients: this.#load.clients,
      concerned: told.moved,
      ideal,
      ms: told.lastStoodAt - at,
      back: undefined,
      movesSent: (typeof gone === 'number' ? gone : 0) + (await this.#sent()) - sentBefore,
      rate: undefined,
      cores: used,
      told,
    };
  }

  /** SIGTERM, and its end. @returns the moves that it told, as it last said. */
  async #end(node: ClusterProcess | undefined): Promise<number> {
    if (!node) throw new Error('no node to end');
    let moves: Moves = await movesOf(node);
    let over = false;
    node.process.signal('SIGTERM');
    const ended = node.process.exited.then(() => {
      over = true;
    });
    while (!over) {
      // its own counters die with it
      moves = await movesOf(node).catch(() => moves);
      await Promise.race([ended, sleep(100)]);
    }
    const { sent = 0, followed = 0 } = moves;
    if (sent !== followed) console.error(`fleet: ${node.id} last said of its moves:`, moves);
    await this.#allOff(node.id);
    return sent;
  }

  #cores(): () => FleetRow['cores'] {
    return watchCores(this.#crowd, () => [
      this.#cluster.locator.process.pid,
      ...this.#running().map((node) => node.process.pid),
    ]);
  }

  #running(): ClusterProcess[] {
    return this.#cluster.nodes.filter((node) => node.running);
  }

  #ring(): ReturnType<typeof buildRing> {
    return buildRing(this.#running().map(({ id }) => ({ id, weight: 1 })));
  }

  /** Every client has a session at its home. */
  async #atHome(): Promise<void> {
    const ring = this.#ring();
    const homes = this.#users.map((user) => ring.owner(`user:${user}`)?.id);
    await waitFor(
      async () => {
        const { connected, nodes } = await this.#crowd.look();
        const away = nodes.filter((node, i) => node !== homes[i]).length;
        if (away > 0) throw new Error(`${away} are elsewhere`);
        return connected === homes.length;
      },
      { message: 'all clients to be at home', timeout: LIMIT_MS, interval: 200 },
    );
  }

  /** Every client has a session, and none there. */
  async #allOff(gone: string): Promise<void> {
    await waitFor(
      async () => {
        const { connected, nodes } = await this.#crowd.look();
        return connected === this.#load.clients && !nodes.includes(gone);
      },
      { message: 'all clients to be elsewhere', timeout: LIMIT_MS, interval: 200 },
    );
  }

  async #sent(): Promise<number> {
    const counts = await Promise.all(
      this.#running().map((node) => node.metric('ringway_moves_total', { result: 'sent' })),
    );
    return counts.reduce((sum, each) => sum + each, 0);
  }
}

/** A fleet of Socket.IO with its clients, one of whose nodes goes. */
export async function socketIoScene(
  fleet: SocketIoFleet,
  load: FleetLoad,
  signal: 'SIGKILL' | 'SIGTERM',
): Promise<FleetRow> {
  await using crowd = new Crowd();
  const addresses = fleet.servers.map(({ port }) => `http://127.0.0.1:${port}`);
  const names = Array.from({ length: load.clients }, (_, i) => `u${i}`);
  await crowd.arrive({ kind: 'socket.io', names, addresses, tokens: [], atOnce: AT_ONCE });
  await begin(crowd, load);
  const cores = watchCores(crowd, () => fleet.servers.map((server) => server.process.pid));
  const at = performance.timeOrigin + performance.now();
  fleet.servers[1]?.process.signal(signal);
  const gone = addresses[1] ?? '';
  await waitFor(
    async () => {
      const { connected, nodes } = await crowd.look();
      return connected === load.clients && !nodes.includes(gone);
    },
    { message: 'all clients to be back', timeout: LIMIT_MS, interval: 200 },
  );
  const used = cores();
  return killedRow('Socket.IO, streams', `${signal}, 1 of 3`, load, at, used, await end(crowd, load, gone));
}

async function begin(crowd: Crowd, load: FleetLoad): Promise<void> {
  await crowd.talk({ streams: load.streams, intervalMs: INTERVAL_MS, perSecond: load.perSecond });
  await sleep(load.quietMs);
  await crowd.phase('during');
}

async function end(crowd: Crowd, load: FleetLoad, node?: string): Promise<Told> {
  await crowd.phase('after');
  await sleep(load.quietMs);
  return crowd.hush(node);
}

function killedRow(
  peer: string,
  change: Change,
  load: FleetLoad,
  at: number,
  cores: FleetRow['cores'],
  told: Told,
): FleetRow {
  const back = told.backAt.map((when) => when - at).sort((a, b) => a - b);
  return {
    peer,
    change,
    clients: load.clients,
    concerned: told.away,
    ideal: told.held,
    ms: back.at(-1) ?? Number.NaN,
    back: { half: percentile(back, 0.5), most: percentile(back, 0.99), all: back.at(-1) ?? Number.NaN },
    movesSent: undefined,
    rate: undefined,
    cores,
    told,
  };
}

function watchCores(crowd: Crowd, servers: () => readonly number[]): () => FleetRow['cores'] {
  const watches = { load: new CoreWatch(() => [crowd.pid]), servers: new CoreWatch(servers) };
  return () => ({ load: watches.load.end(), servers: watches.servers.end() });
}

type Moves = Readonly<Record<string, number>>;

/** `ringway_moves_total` of a node, by result. */
async function movesOf(node: ClusterProcess): Promise<Moves> {
  const text = await (await node.fetch('internal', '/metrics')).text();
  const found = text.matchAll(/^ringway_moves_total\{result="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, result = '', count]) => [result, Number(count)]));
}
