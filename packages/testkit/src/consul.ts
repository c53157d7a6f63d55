import { accessSync, constants, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, freePorts } from './ports.ts';
import { launch, type RunningProcess } from './process.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** The path of a file under consul/, the agent configurations that operators use too. */
export function consulFile(name: string): string {
  return join(ROOT, 'consul', name);
}

/** The Consul binary: RINGWAY_TEST_CONSUL, else the one that scripts/get-consul.sh installs. */
export function consulBinary(): string {
  const path = process.env['RINGWAY_TEST_CONSUL'] ?? join(ROOT, '.tools/consul/usr/bin/consul');
  try {
    accessSync(path, constants.X_OK);
  } catch (cause) {
    throw new Error(
      `no Consul at ${path}: run scripts/get-consul.sh, or set RINGWAY_TEST_CONSUL to the path of a consul binary`,
      { cause },
    );
  }
  return path;
}

/** How to start an agent. */
export interface ConsulOptions {
  /** Name of the Consul node; random by default. */
  readonly name?: string;
  /** Files under consul/ that are read besides, such as `acl.json`. */
  readonly files?: readonly string[];
  /** Further arguments. */
  readonly args?: readonly string[];
  /** Working directory, for configurations with relative paths. */
  readonly cwd?: string;
}

/** A development agent from consul/dev.json on free ports of 127.0.0.1. Resolves once it leads. */
export async function startDevConsul(options: ConsulOptions = {}): Promise<ConsulAgent> {
  const [http, serf, server] = await threePorts();
  const name = options.name ?? `dev-${http}`;
  const files = ['dev.json', ...(options.files ?? [])].map((file) => `-config-file=${consulFile(file)}`);
  const agent = new ConsulAgent(name, `http://127.0.0.1:${http}`, options.cwd, [
    ...['agent', '-dev', ...files, '-node', name, '-http-port', `${http}`],
    ...['-serf-lan-port', `${serf}`, '-server-port', `${server}`, ...(options.args ?? [])],
  ]);
  await startAll([agent]);
  return agent;
}

/** Three servers from consul/server.json, joined, with a leader. */
export async function startConsulCluster(options: ConsulOptions = {}): Promise<ConsulCluster> {
  const data = await mkdtemp(join(tmpdir(), 'ringway-consul-'));
  const ports = await Promise.all([threePorts(), threePorts(), threePorts()]);
  const joins = ports.map(([, serf]) => `-retry-join=127.0.0.1:${serf}`);
  const files = ['server.json', ...(options.files ?? [])].map((file) => `-config-file=${consulFile(file)}`);
  const agents = ports.map(([http, serf, server], i) => {
    const name = `${options.name ?? 'server'}-${i + 1}`;
    return new ConsulAgent(name, `http://127.0.0.1:${http}`, options.cwd, [
      ...['agent', ...files, '-node', name, '-data-dir', join(data, name), '-bind', '127.0.0.1', ...joins],
      ...['-client', '127.0.0.1', '-http-port', `${http}`, '-serf-lan-port', `${serf}`],
      ...['-server-port', `${server}`, '-grpc-port', '-1', ...(options.args ?? [])],
    ]);
  });
  const cluster = new ConsulCluster(agents, data);
  try {
    await startAll(agents);
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

/** A client agent from consul/agent.json, joined to a cluster. Resolves once it sees the leader. */
export async function startConsulClient(
  cluster: ConsulCluster,
  options: ConsulOptions = {},
): Promise<ConsulAgent> {
  const [http, serf] = await freePorts(2);
  const name = options.name ?? `client-${http}`;
  const files = ['agent.json', ...(options.files ?? [])].map((file) => `-config-file=${consulFile(file)}`);
  const joins = cluster.agents.map((server) => `-retry-join=127.0.0.1:${server.serfPort}`);
  const agent = new ConsulAgent(name, `http://127.0.0.1:${http}`, options.cwd, [
    ...[
      'agent',
      ...files,
      '-node',
      name,
      '-data-dir',
      join(cluster.data, name),
      '-bind',
      '127.0.0.1',
      ...joins,
    ],
    ...['-http-port', `${http}`, '-serf-lan-port', `${serf}`, ...(options.args ?? [])],
  ]);
  await startAll([agent]);
  return agent;
}

/** One agent as a process of its own, that can be killed, frozen and started again on the same ports. */
export class ConsulAgent implements AsyncDisposable {
  readonly name: string;
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  readonly #args: readonly string[];
  readonly #cwd: string | undefined;
  #process: RunningProcess | undefined;

  constructor(name: string, address: string, cwd: string | undefined, args: readonly string[]) {
    this.name = name;
    this.address = address;
    this.#cwd = cwd;
    this.#args = args;
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was never started`);
    return this.#process;
  }

  get serfPort(): number {
    return Number(this.#args[this.#args.indexOf('-serf-lan-port') + 1]);
  }

  /** Where the other servers reach it, as `/v1/status/leader` names it. */
  get raftAddress(): string {
    return `127.0.0.1:${this.#args[this.#args.indexOf('-server-port') + 1]}`;
  }

  /** Starts the process; a development agent begins empty each time. Does not wait for a leader. */
  async start(): Promise<void> {
    this.#process = await launch({
      command: consulBinary(),
      args: this.#args,
      name: `consul ${this.name}`,
      // An agent of a real machine must not lead the tests to itself.
      env: { CONSUL_HTTP_ADDR: undefined, CONSUL_HTTP_TOKEN: undefined },
      ...(this.#cwd === undefined ? {} : { cwd: this.#cwd }),
    });
  }

  /** Waits until the agent knows a leader. */
  async led(timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      if (!this.process.running) break;
      const leader = await this.request('GET', '/v1/status/leader').catch(() => undefined);
      if (leader?.status === 200 && (await leader.text()) !== '""') return;
      await sleep(25);
    }
    throw new Error(`${this.name} found no leader within ${timeoutMs} ms:\n${this.process.output}`);
  }

  /** SIGKILL, start again on the same ports, wait for a leader. */
  async restart(): Promise<void> {
    await this.process.kill();
    await this.start();
    await this.led();
  }

  async kill(): Promise<void> {
    await this.process.kill();
  }

  freeze(): void {
    this.process.freeze();
  }

  thaw(): void {
    this.process.thaw();
  }

  /** One request to the HTTP API, 10 s at most. A body is sent as JSON. */
  request(
    method: 'GET' | 'PUT',
    path: string,
    options: { body?: unknown; token?: string } = {},
  ): Promise<Response> {
    return fetch(`${this.address}${path}`, {
      method,
      signal: AbortSignal.timeout(10_000),
      headers: options.token === undefined ? {} : { 'X-Consul-Token': options.token },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
  }

  /** The same, answering the JSON; rejects on any status but 200. */
  async json(
    method: 'GET' | 'PUT',
    path: string,
    options: { body?: unknown; token?: string } = {},
  ): Promise<unknown> {
    const response = await this.request(method, path, options);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`consul: ${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Bootstraps the ACLs of an agent started with acl.json; gives the management token, also set as the agent's own. */
  async bootstrapAcl(): Promise<string> {
    // A new leader refuses for a moment, until it has left the legacy mode of ACLs.
    const deadline = performance.now() + 10_000;
    let made = await this.request('PUT', '/v1/acl/bootstrap');
    while (made.status === 500 && performance.now() < deadline) {
      await sleep(50);
      made = await this.request('PUT', '/v1/acl/bootstrap');
    }
    if (made.status !== 200) throw new Error(`consul: bootstrap: ${made.status} ${await made.text()}`);
    const { SecretID: token } = (await made.json()) as { SecretID: string };
    const agentToken = await this.createToken(token, await this.createPolicy(token, 'agent.hcl'));
    await this.json('PUT', '/v1/agent/token/agent', { token, body: { Token: agentToken.secret } });
    return token;
  }

  /** Makes a policy of a file under consul/policies; gives its name. */
  async createPolicy(management: string, file: string): Promise<string> {
    const Name = basename(file, '.hcl');
    const Rules = readFileSync(consulFile(join('policies', file)), 'utf8');
    await this.json('PUT', '/v1/acl/policy', { token: management, body: { Name, Rules } });
    return Name;
  }

  /** Makes a token that has the named policies. */
  async createToken(
    management: string,
    ...policies: string[]
  ): Promise<{ secret: string; accessor: string }> {
    const body = { Policies: policies.map((Name) => ({ Name })) };
    const made = (await this.json('PUT', '/v1/acl/token', { token: management, body })) as Record<
      string,
      string
    >;
    return { secret: made['SecretID'] ?? '', accessor: made['AccessorID'] ?? '' };
  }

  /** Gives a token the named policies in place of those it had. */
  async setPolicies(management: string, accessor: string, ...policies: string[]): Promise<void> {
    const body = { Policies: policies.map((Name) => ({ Name })) };
    await this.json('PUT', `/v1/acl/token/${accessor}`, { token: management, body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.kill();
  }
}

/** Three servers. */
export class ConsulCluster implements AsyncDisposable {
  readonly agents: readonly ConsulAgent[];
  /** Directory of the agents' state; removed with the cluster. */
  readonly data: string;

  constructor(agents: readonly ConsulAgent[], data: string) {
    this.agents = agents;
    this.data = data;
  }

  /** The server that leads now. Asked of the given one, or of the first. */
  async leader(asked: ConsulAgent | undefined = this.agents[0]): Promise<ConsulAgent> {
    const address = await asked?.json('GET', '/v1/status/leader');
    const found = this.agents.find((agent) => typeof address === 'string' && address === agent.raftAddress);
    if (found === undefined) throw new Error(`no leader among the servers: ${String(address)}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent[Symbol.asyncDispose]()));
    await rm(this.data, { recursive: true, force: true });
  }
}

async function startAll(agents: readonly ConsulAgent[]): Promise<void> {
  try {
    for (const agent of agents) await agent.start();
    await Promise.all(agents.map((agent) => agent.led(60_000)));
  } catch (error) {
    await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
    throw error;
  }
}

async function threePorts(): Promise<[number, number, number]> {
  return [await freePort(), await freePort(), await freePort()];
}
