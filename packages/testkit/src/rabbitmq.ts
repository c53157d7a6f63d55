import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { launch, type RunningProcess } from './process.ts';

const LIBRARY = '/usr/lib/rabbitmq/lib';
const START_MS = 60_000;

/** A real RabbitMQ on free ports of 127.0.0.1. Resolves once it accepts connections. */
export async function startRabbitmq(): Promise<RabbitmqServer> {
  const [port = 0, distribution = 0, epmd = 0] = await freePorts(3);
  const folder = await mkdtemp(join(tmpdir(), 'ringway-rabbitmq-'));
  const server = new RabbitmqServer({ port, distribution, epmd }, folder);
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/**
 * One RabbitMQ as a process of its own, that can be killed, frozen and started again on the same port with what it kept.
 *
 * Debian's /usr/sbin/rabbitmq-server changes to the user rabbitmq, and to that user's folders; so the script below
 * /usr/lib is started instead, with every folder of its own, a node name and a cookie (in its HOME) that no other node
 * has. The variable by which it thinks itself under systemd makes the script become the Erlang machine, under the same
 * id, instead of starting it as a child that would outlive a kill. Erlang's name server (epmd), which it would leave
 * running for good, is a process of our own, too.
 */
export class RabbitmqServer implements AsyncDisposable {
  readonly port: number;
  /** `amqp://guest:guest@127.0.0.1:PORT` */
  readonly url: string;
  readonly #ports: { readonly port: number; readonly distribution: number; readonly epmd: number };
  readonly #folder: string;
  #epmd: RunningProcess | undefined;
  #process: RunningProcess | undefined;

  constructor(ports: { port: number; distribution: number; epmd: number }, folder: string) {
    this.#ports = ports;
    this.port = ports.port;
    this.#folder = folder;
    this.url = `amqp://guest:guest@127.0.0.1:${ports.port}`;
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error('rabbitmq was never started');
    return this.#process;
  }

  async start(): Promise<void> {
    const { port, distribution, epmd } = this.#ports;
    const folder = this.#folder;
    this.#epmd ??= await launch({
      command: 'epmd',
      args: ['-port', `${epmd}`, '-address', '127.0.0.1'],
      name: `epmd ${epmd}`,
    });
    await writeFile(join(folder, 'enabled_plugins'), '[].');
    await writeFile(join(folder, 'rabbitmq.conf'), 'log.console.level = info\n');
    this.#process = await launch({
      command: serverScript(),
      name: `rabbitmq ${port}`,
      cwd: folder,
      env: {
        HOME: folder,
        RUNNING_UNDER_SYSTEMD: 'yes',
        NOTIFY_SOCKET: undefined,
        ERL_EPMD_PORT: `${epmd}`,
        RABBITMQ_CONF_ENV_FILE: '/dev/null',
        RABBITMQ_NODENAME: `ringway-${port}@localhost`,
        RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
        RABBITMQ_NODE_PORT: `${port}`,
        RABBITMQ_DIST_PORT: `${distribution}`,
        RABBITMQ_MNESIA_BASE: join(folder, 'data'),
        RABBITMQ_LOG_BASE: join(folder, 'log'),
        RABBITMQ_LOGS: '-',
        RABBITMQ_PID_FILE: join(folder, 'pid'),
        RABBITMQ_SCHEMA_DIR: join(folder, 'schema'),
        RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'config'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
        RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
        RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced'),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
          '-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 2:2',
      },
    });
    await this.#process.waitForOutput(/Server startup complete/, START_MS);
  }

  /** SIGKILL, then the same again on the same port. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.kill();
    await this.#epmd?.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function serverScript(): string {
  let versions: string[] = [];
  try {
    versions = readdirSync(LIBRARY).filter((name) => name.startsWith('rabbitmq_server-'));
  } catch {}
  const [version] = versions.sort().reverse();
  if (version === undefined) throw new Error('no RabbitMQ here: run scripts/setup.sh rabbitmq');
  return join(LIBRARY, version, 'sbin/rabbitmq-server');
}
