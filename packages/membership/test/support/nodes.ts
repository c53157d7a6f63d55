import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { launch, type RunningProcess } from '@ringway/testkit';
import {
  type ConsulMembershipOptions,
  consulMembership,
  type Member,
  type Membership,
  type Registration,
  RingWatcher,
} from '../../src/index.ts';
import { clusterSigner, listed, member } from './members.ts';

/** A health endpoint that can be made ill. */
export class HealthEndpoint implements AsyncDisposable {
  healthy = true;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<HealthEndpoint> {
    const server = createServer();
    const endpoint = new HealthEndpoint(server);
    server.on('request', (_, response) => {
      response.statusCode = endpoint.healthy ? 200 : 503;
      response.end();
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** What a node in this process was told about its registration. */
export type Said = 'lost' | 'restored' | `replaced by ${string}`;

/** A node in this process: a health endpoint and a registration by a handle of its own. */
export class LocalNode implements AsyncDisposable {
  readonly member: Member;
  readonly health: HealthEndpoint;
  readonly registration: Registration;
  readonly said: readonly Said[];
  readonly #membership: Membership;

  private constructor(
    own: Member,
    health: HealthEndpoint,
    membership: Membership,
    registration: Registration,
    said: readonly Said[],
  ) {
    this.member = own;
    this.health = health;
    this.#membership = membership;
    this.registration = registration;
    this.said = said;
  }

  static async start(
    address: string,
    id: string,
    options: Partial<ConsulMembershipOptions> & { member?: Partial<Member> } = {},
  ): Promise<LocalNode> {
    const { member: parts, ...rest } = options;
    const health = await HealthEndpoint.open();
    const membership = consulMembership({ address, signer: clusterSigner(), ...rest });
    const own = member(id, { internalUrl: health.url, ...parts });
    const said: Said[] = [];
    const registration = await membership.register(own, {
      lost: () => said.push('lost'),
      restored: () => said.push('restored'),
      replaced: (incarnation) => said.push(`replaced by ${incarnation}`),
    });
    return new LocalNode(own, health, membership, registration, said);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#membership.close();
    await this.health[Symbol.asyncDispose]();
  }
}

/** A node as a process of its own, registered. */
export async function launchNode(
  address: string,
  id: string,
  service: string,
  incarnation = `${id}-start-1`,
): Promise<RunningProcess> {
  const node = await launch({
    name: id,
    command: process.execPath,
    args: [
      '--conditions=@ringway/source',
      join(import.meta.dirname, 'node-main.ts'),
      JSON.stringify({ id, incarnation, address, service }),
    ],
  });
  await node.waitForOutput(/^ready$/m);
  return node;
}

/** A ring watcher with its history. */
export class Observed implements AsyncDisposable {
  readonly watcher: RingWatcher;
  /** Each ring after the first, as its members' ids. */
  readonly rings: string[][] = [];
  readonly rejected: string[] = [];
  /** How many members were held each time that changed. */
  readonly held: number[] = [];
  readonly warnings: string[] = [];
  readonly told: string[] = [];
  readonly #membership: Membership;

  constructor(address: string, options: Partial<ConsulMembershipOptions> = {}) {
    const log = {
      info: (_: object, message: string) => void this.told.push(message),
      warn: (_: object, message: string) => void this.warnings.push(message),
      error: (fields: object, message: string) =>
        void this.warnings.push(`${message} ${JSON.stringify(fields)}`),
    };
    this.#membership = consulMembership({
      address,
      signer: clusterSigner(),
      log,
      hooks: { rejected: (reason) => this.rejected.push(reason), held: (count) => this.held.push(count) },
      ...options,
    });
    this.watcher = new RingWatcher({
      membership: this.#membership,
      log,
      hooks: { rejected: (reason) => this.rejected.push(reason) },
    });
    this.watcher.subscribe((_, after) => this.rings.push(after.members.map(({ id }) => id)));
  }

  static async start(address: string, options: Partial<ConsulMembershipOptions> = {}): Promise<Observed> {
    const observed = new Observed(address, options);
    await observed.watcher.start();
    observed.rings.length = 0;
    return observed;
  }

  get ring(): string {
    return this.watcher.current.members.map(({ id }) => id).join(' ');
  }

  get listed(): string {
    return listed(this.watcher.snapshot).join(' ');
  }

  /** The fewest members that any ring had since the history was cleared; the current one counts. */
  get smallest(): number {
    return Math.min(this.watcher.current.size, ...this.rings.map((ids) => ids.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watcher.close();
    await this.#membership.close();
  }
}
