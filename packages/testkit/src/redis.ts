import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './ports.ts';
import { launch, type RunningProcess } from './process.ts';

/** How to start Redis. */
export interface RedisOptions {
  /** Keeps data over a restart, as an append-only file that is synced on every write. Off by default. */
  readonly persistent?: boolean;
  /** Starts as a replica of the Redis on this port of 127.0.0.1, which may be that of a proxy. */
  readonly replicaOf?: number;
  /** Further arguments, such as `--maxmemory 10mb`. */
  readonly args?: readonly string[];
  /** Port on 127.0.0.1; a free one by default. */
  readonly port?: number;
  /** Put before the command, such as `['taskset', '-c', '0']`. */
  readonly prefix?: readonly string[];
}

/** A real redis-server on a free port of 127.0.0.1, never evicting. Resolves once it accepts connections. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), 'ringway-redis-'));
  const server = new RedisServer(port, folder, options);
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** One redis-server, that can be killed, frozen and started again on the same port. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  readonly #folder: string;
  readonly #command: readonly [string, ...string[]];
  #process: RunningProcess | undefined;

  constructor(port: number, folder: string, options: RedisOptions) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#folder = folder;
    const server = [
      ...['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder],
      ...['--save', '', '--appendonly', options.persistent ? 'yes' : 'no', '--appendfsync', 'always'],
      ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no', '--repl-diskless-sync-delay', '0'],
      ...(options.replicaOf === undefined ? [] : ['--replicaof', '127.0.0.1', `${options.replicaOf}`]),
      ...(options.args ?? []),
    ] as const;
    const [first = 'redis-server', ...rest] = [...(options.prefix ?? []), ...server];
    this.#command = [first, ...rest];
  }

  get process(): RunningProcess {
    if (this.#process === undefined) throw new Error('redis was never started');
    return this.#process;
  }

  /** Starts the process, with what it kept if it is persistent. */
  async start(): Promise<void> {
    const [command, ...args] = this.#command;
    this.#process = await launch({ command, args, name: `redis ${this.port}` });
    await this.#process.waitForOutput(/Ready to accept connections/);
  }

  /** SIGKILL, then the same again on the same port. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** SIGKILL, then again on the same port, with nothing of what it kept. */
  async restartEmpty(): Promise<void> {
    await this.kill();
    for (const name of await readdir(this.#folder)) await rm(join(this.#folder, name), { recursive: true });
    await this.start();
  }

  /** Sends one command, by a connection of its own, and gives what is answered. */
  command(name: string, ...args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#asked((client) => client.call(name, ...args));
  }

  /** The same, with texts in the answer as bytes. */
  commandBuffer(name: string, ...args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return this.#asked((client) => client.callBuffer(name, ...args));
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
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #asked(ask: (client: Redis) => Promise<unknown>): Promise<unknown> {
    const client = new Redis(this.port, '127.0.0.1', { maxRetriesPerRequest: 3, commandTimeout: 10_000 });
    // what goes wrong is told by the command
    client.on('error', () => {});
    try {
      return await ask(client);
    } finally {
      client.disconnect();
    }
  }
}
