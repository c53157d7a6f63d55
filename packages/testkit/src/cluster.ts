import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Capabilities, RingDocument, RouteAnswer } from '@ringway/protocol';
import { KeyFamily, mintClusterToken, signCompact } from '@ringway/service';
import type { TestCa } from './certificates.ts';
import { ClusterProcess } from './cluster-process.ts';
import { type ConsulAgent, startDevConsul } from './consul.ts';
import { freePorts } from './ports.ts';
import { waitFor } from './wait-for.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
// Without it each of a run's many processes strips and compiles the same sources anew, for half of its start.
const COMPILED = join(ROOT, 'node_modules/.cache/ringway-testkit');

/** Variables by name; `undefined` takes one away. */
export type Env = Readonly<Record<string, string | undefined>>;

/** What a cluster consists of. */
export interface ClusterOptions {
  /** 3 by default. */
  readonly nodes?: number;
  /** 1 by default. */
  readonly locators?: number;
  /** An agent that others use too; by default one of the cluster's own, which ends with it. */
  readonly consul?: ConsulAgent;
  /** Public listeners speak TLS by certificates of this authority; plain without. */
  readonly ca?: TestCa;
  /** Internal listeners speak TLS by them too, and nodes trust that authority; false by default. */
  readonly internalTls?: boolean;
  /** Settings of every process. */
  readonly env?: Env;
  readonly nodeEnv?: Env;
  readonly locatorEnv?: Env;
  /**
   * Gives the address under which peers and backends are to reach a node's internal listener, when that is not straight:
   * that of a proxy. Consul and the tests go straight all the same.
   */
  readonly peerAddress?: (nodeId: string, internalPort: number) => Promise<string>;
  /** Put before each command, such as `['taskset', '-c', '0']`. */
  readonly prefix?: readonly string[];
  /** Another checkout of this repository, installed, whose sources run; this one by default. */
  readonly root?: string;
  /** How long a process may take to be ready, and then the cluster to settle, in milliseconds; 20,000 by default. */
  readonly startMs?: number;
}

/** What a caller's token says. */
export interface CallerOptions {
  readonly cap?: Capabilities;
  /** Seconds; 300 by default. */
  readonly expiresIn?: number;
  /** Claims beside these, or in place of them. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Everything a session may do. */
export const ALL_CAPABILITIES: Capabilities = Object.freeze({ publish: ['*'], join: ['*'], presence: ['*'] });

/**
 * Real Consul, locators and nodes, each a process of the `ringway` command started from the sources, on free ports of
 * 127.0.0.1, with keys made for this one. Resolves once every locator and every node has all the members in its ring.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const consul = options.consul ?? (await startDevConsul());
  const cluster = new Cluster(options, consul);
  try {
    await cluster.start();
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

/** A running cluster. Processes that a test kills or stops stay listed; their state tells. */
export class Cluster implements AsyncDisposable {
  readonly name = `test-${randomBytes(6).toString('hex')}`;
  readonly consul: ConsulAgent;
  readonly nodes: ClusterProcess[] = [];
  readonly locators: ClusterProcess[] = [];
  /** The secrets: a test forges with them. */
  readonly keys = { auth: secret(), ticket: secret(), cluster: secret() };
  readonly #options: ClusterOptions;
  readonly #added = { locator: 0, node: 0 };
  readonly #auth: KeyFamily;
  readonly #cluster: KeyFamily;

  constructor(options: ClusterOptions, consul: ConsulAgent) {
    this.#options = options;
    this.consul = consul;
    this.#auth = new KeyFamily({ name: 'RINGWAY_AUTH_KEYS', text: this.keys.auth });
    this.#cluster = new KeyFamily({ name: 'RINGWAY_CLUSTER_KEYS', text: this.keys.cluster });
  }

  /** Starts what the options ask for. Called once, by {@link startCluster}. */
  async start(): Promise<void> {
    const { nodes = 3, locators = 1 } = this.#options;
    await Promise.all([
      ...Array.from({ length: locators }, () => this.addLocator()),
      ...Array.from({ length: nodes }, () => this.addNode()),
    ]);
    await this.settled();
  }

  /** The locator that most tests ask. */
  get locator(): ClusterProcess {
    const [first] = this.locators;
    if (first === undefined) throw new Error('this cluster has no locator');
    return first;
  }

  /** The node of that id. */
  node(id: string): ClusterProcess {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined)
      throw new Error(`no node ${id} among ${this.nodes.map((node) => node.id).join(', ')}`);
    return found;
  }

  /** Starts one more locator, and waits until it is ready. */
  async addLocator(env: Env = {}): Promise<ClusterProcess> {
    return this.#add(this.locators, 'locator', { ...this.#options.locatorEnv, ...env });
  }

  /** Starts one more node, and waits until it is ready; {@link settled} waits for the others to know. */
  async addNode(env: Env = {}): Promise<ClusterProcess> {
    return this.#add(this.nodes, 'node', { ...this.#options.nodeEnv, ...env });
  }

  /**
   * Waits until every locator and node that runs has exactly the nodes that run in its ring, and every node a link to
   * each of its peers.
   */
  async settled(timeout = this.#options.startMs ?? 20_000): Promise<void> {
    const nodes = this.nodes.filter((node) => node.running);
    const expected = nodes.map((node) => node.id);
    const ring = async (locator: ClusterProcess): Promise<string | true> => {
      const members = await this.ringMembers(locator);
      return same(members, expected) || `it has ${members.join(', ') || 'none'}`;
    };
    const links = async (node: ClusterProcess): Promise<string | true> => {
      const members = await node.metric('ringway_ring_members');
      const open = await node.metric('ringway_peer_links');
      const enough = members === nodes.length && open >= nodes.length - 1;
      return enough || `it has ${members} members and ${open} links`;
    };
    const wait = (
      who: ClusterProcess,
      look: (who: ClusterProcess) => Promise<string | true>,
    ): Promise<unknown> =>
      waitFor(
        async () => {
          const seen = await look(who);
          if (seen !== true) throw new Error(seen);
          return true;
        },
        { message: `${who.id} to know ${expected.join(', ')}`, timeout },
      );
    await Promise.all([
      ...this.locators.filter((locator) => locator.running).map((locator) => wait(locator, ring)),
      ...nodes.map((node) => wait(node, links)),
    ]);
  }

  /** The ring as a locator tells it. Rejects when it does not answer. */
  async ring(locator = this.locator): Promise<RingDocument> {
    const token = this.clusterToken('locator', 'push');
    const response = await locator.fetch('internal', '/ring', {
      headers: { authorization: `Bearer ${token}` },
    });
    if (!response.ok) throw new Error(`GET /ring: ${response.status} ${await response.text()}`);
    return (await response.json()) as RingDocument;
  }

  async ringMembers(locator = this.locator): Promise<string[]> {
    return (await this.ring(locator)).members.filter(({ state }) => state === 'up').map(({ id }) => id);
  }

  /** A caller's token, as the application would sign it. */
  callerToken(userId: string, options: CallerOptions = {}): string {
    const { cap = ALL_CAPABILITIES, expiresIn = 300, claims = {} } = options;
    const now = Math.floor(Date.now() / 1000);
    return signCompact(
      this.#auth,
      'JWT',
      JSON.stringify({ sub: userId, cap, iat: now, exp: now + expiresIn, ...claims }),
    );
  }

  /** A token between the processes of the cluster. */
  clusterToken(aud: string, scope: 'peer' | 'push' | 'admin'): string {
    return mintClusterToken(this.#cluster, { iss: this.name, sub: 'service:test', aud, scope });
  }

  /** `GET /route` as that user. Rejects with status and body when the answer is not 200. */
  async route(
    userId: string,
    options: CallerOptions & { locator?: ClusterProcess; query?: string } = {},
  ): Promise<RouteAnswer> {
    const { locator = this.locator, query = '' } = options;
    const response = await locator.fetch('public', `/route?${query}`, {
      headers: { authorization: `Bearer ${this.callerToken(userId, options)}` },
    });
    if (response.status !== 200) throw new Error(`GET /route: ${response.status} ${await response.text()}`);
    return (await response.json()) as RouteAnswer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes, ...this.locators].map((each) => each[Symbol.asyncDispose]()));
    if (this.#options.consul === undefined) await this.consul[Symbol.asyncDispose]();
  }

  async #add(list: ClusterProcess[], kind: 'locator' | 'node', env: Env): Promise<ClusterProcess> {
    // Counted before anything is awaited: several may be added at once.
    this.#added[kind] += 1;
    const number = this.#added[kind];
    const id = env['RINGWAY_NODE_ID'] ?? `${kind}-${number}`;
    const [publicPort = 0, internalPort = 0] = await freePorts(2);
    const { ca, internalTls = false, prefix = [], root = ROOT, startMs } = this.#options;
    const certificate = await ca?.issue(`${kind}-${publicPort}`);
    const peerAddress = kind === 'node' ? await this.#options.peerAddress?.(id, internalPort) : undefined;
    const made = new ClusterProcess({
      kind,
      number,
      id,
      publicUrl: `${certificate ? 'https' : 'http'}://127.0.0.1:${publicPort}`,
      internalUrl: `${certificate && internalTls ? 'https' : 'http'}://127.0.0.1:${internalPort}`,
      ...(ca && { ca: ca.ca }),
      ...(startMs !== undefined && { startMs }),
      command: [
        ...prefix,
        process.execPath,
        '--conditions=@ringway/source',
        '--no-warnings',
        join(root, 'packages/ringway/src/main.ts'),
        kind,
      ],
      env: {
        ...withoutRingway(),
        NODE_COMPILE_CACHE: COMPILED,
        RINGWAY_CLUSTER: this.name,
        RINGWAY_CONSUL_URL: this.consul.address,
        RINGWAY_PUBLIC_LISTEN: `127.0.0.1:${publicPort}`,
        RINGWAY_INTERNAL_LISTEN: `127.0.0.1:${internalPort}`,
        RINGWAY_TICKET_KEYS: this.keys.ticket,
        RINGWAY_CLUSTER_KEYS: this.keys.cluster,
        RINGWAY_LOG_LEVEL: 'info',
        ...(kind === 'node'
          ? { RINGWAY_NODE_ID: id }
          : // on a busy machine a process may stand still for a while
            { RINGWAY_AUTH_KEYS: this.keys.auth, RINGWAY_MAX_LAG: '1m' }),
        ...(certificate && {
          RINGWAY_PUBLIC_CERT: certificate.certFile,
          RINGWAY_PUBLIC_KEY: certificate.keyFile,
        }),
        ...(certificate && kind === 'node' && { RINGWAY_PUBLIC_URL: `wss://127.0.0.1:${publicPort}` }),
        ...(certificate &&
          internalTls && {
            RINGWAY_INTERNAL_CERT: certificate.certFile,
            RINGWAY_INTERNAL_KEY: certificate.keyFile,
            ...(kind === 'node' && {
              RINGWAY_INTERNAL_CA: ca?.caFile,
              // Consul trusts the authorities of its machine, of which this one is none.
              RINGWAY_CHECK_SKIP_VERIFY: '1',
            }),
          }),
        ...(peerAddress !== undefined && {
          RINGWAY_INTERNAL_URL: peerAddress,
          RINGWAY_CHECK_URL: `http://127.0.0.1:${internalPort}/healthz`,
        }),
        ...this.#options.env,
        ...env,
      },
    });
    list.push(made);
    list.sort((one, other) => one.number - other.number);
    await made.start();
    return made;
  }
}

/** What the test process was given for itself is not for its children. */
function withoutRingway(): Env {
  return Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => name.startsWith('RINGWAY_'))
      .map((name) => [name, undefined]),
  );
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && [...one].sort().join() === [...other].sort().join();
}

function secret(): string {
  return randomBytes(32).toString('hex');
}
