import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { buildRing, type Ring } from '@ringway/ring';
import {
  type Cluster,
  type ClusterOptions,
  createTestCa,
  type Env,
  startCluster,
  type TestCa,
} from '@ringway/testkit';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { PeerNetwork } from './peer-network.ts';
import { Person, type PersonOptions } from './person.ts';
import { RawSocket } from './raw-socket.ts';

export interface StageOptions extends Pick<ClusterOptions, 'env' | 'nodeEnv' | 'locatorEnv'> {
  /** Settings of single nodes, by id. */
  readonly envOf?: Readonly<Record<string, Env>>;
  /** Peers reach each other through a {@link PeerNetwork}, for which internal listeners speak plain HTTP; false by default. */
  readonly parting?: boolean;
}

const NODES = ['node-1', 'node-2', 'node-3'];

/**
 * What the tests of one file share: a real Consul, two locators and three nodes, https and wss by an authority made for
 * this run, which this process trusts; and the people on it.
 */
export class Stage {
  readonly ca: TestCa;
  readonly cluster: Cluster;
  /** For files of this run; removed with it. */
  readonly folder: string;
  /** What parts nodes, where the stage was set with `parting`. */
  readonly network: PeerNetwork;
  readonly #before = getCACertificates('default');
  readonly #people: Person[] = [];
  readonly #sockets: RawSocket[] = [];

  constructor(ca: TestCa, cluster: Cluster, network: PeerNetwork, folder: string) {
    this.ca = ca;
    this.network = network;
    this.cluster = cluster;
    this.folder = folder;
    setDefaultCACertificates([...this.#before, ca.ca]);
  }

  /** The ring of the given nodes, worked out here: anyone can tell whose user is whose. */
  ring(ids: readonly string[] = NODES): Ring<{ readonly id: string; readonly weight: number }> {
    return buildRing(ids.map((id) => ({ id, weight: 1 })));
  }

  /** A new user whose home is the first node and whose successor is the second, if given. */
  userOn(home: string, successor?: string): string {
    const ring = this.ring();
    for (;;) {
      const user = `user-${crypto.randomUUID().slice(0, 8)}`;
      const [first, second] = ring.owners(`user:${user}`, 2);
      if (first?.id === home && (successor === undefined || second?.id === successor)) return user;
    }
  }

  /** Someone with a session of the SDK, connected; leaves at the end of the test. */
  async person(userId: string, options: PersonOptions = {}): Promise<Person> {
    const person = new Person(this.cluster, userId, options);
    this.#people.push(person);
    await person.client.connect();
    return person;
  }

  /** A socket without the SDK; closed at the end of the test. */
  socket(url: string, options: ConstructorParameters<typeof RawSocket>[1] = {}): RawSocket {
    const socket = new RawSocket(url, options);
    this.#sockets.push(socket);
    return socket;
  }

  /** The same, once its session stands. */
  async session(userId: string): Promise<RawSocket> {
    const { url } = await this.cluster.route(userId);
    const socket = this.socket(url);
    await socket.frame('welcome');
    return socket;
  }

  /** Resolves when all that run know exactly the nodes that run. */
  settled(): Promise<void> {
    return this.cluster.settled();
  }

  /** Writes a file that only this user may read; gives its path. */
  async file(name: string, text: string): Promise<string> {
    const path = join(this.folder, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  async everyoneLeaves(): Promise<void> {
    await Promise.all([
      ...this.#people.splice(0).map((person) => person.leave()),
      ...this.#sockets.splice(0).map((socket) => socket.close()),
    ]);
  }

  async end(): Promise<void> {
    setDefaultCACertificates(this.#before);
    await this.cluster[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await this.ca[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Sets the stage before the tests of a file and clears it after them; by then no process may have logged a secret. */
export function useStage(
  options: StageOptions | ((folder: string) => Promise<StageOptions>) = {},
): () => Stage {
  let stage: Stage | undefined;
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ringway-e2e-'));
    const {
      envOf = {},
      parting = false,
      ...rest
    } = typeof options === 'function' ? await options(folder) : options;
    const ca = await createTestCa();
    const env = { RINGWAY_LOG_LEVEL: 'debug', ...rest.env };
    const network = new PeerNetwork();
    const cluster = await startCluster({
      ...rest,
      ...(parting && { peerAddress: (id: string, port: number) => network.front(id, port) }),
      ...{ env, ca, internalTls: !parting, locators: 2, nodes: 0 },
    });
    stage = new Stage(ca, cluster, network, folder);
    await Promise.all(NODES.map((id) => cluster.addNode({ RINGWAY_NODE_ID: id, ...envOf[id] })));
    await stage.settled();
  });
  afterEach(() => stage?.everyoneLeaves());
  afterAll(async () => {
    if (stage === undefined) return;
    const { cluster } = stage;
    await Promise.all([...cluster.nodes, ...cluster.locators].map((each) => each.running && each.stop()));
    await stage.end();
    refuseSecrets(cluster);
  });
  return () => {
    if (stage === undefined) throw new Error('the stage is set by beforeAll');
    return stage;
  };
}

/** Every JWT begins with `eyJ`: a ticket, a cluster token and a caller's own, none of which belongs into a log. */
function refuseSecrets({ nodes, locators, keys }: Cluster): void {
  for (const { id, outputs: output } of [...nodes, ...locators]) {
    if (output === '') throw new Error(`${id} logged nothing: this look proves nothing`);
    for (const secret of ['eyJ', ...Object.values(keys)]) {
      const at = output.indexOf(secret);
      if (at !== -1) throw new Error(`${id} logged a secret: ${output.slice(Math.max(0, at - 300), at)}…`);
    }
  }
}
