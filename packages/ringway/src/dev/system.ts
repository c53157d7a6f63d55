import type { AddressInfo } from 'node:net';
import { BasicService, formatAddress, type Logger } from '@ringway/service';
import { createDevApp } from './app.ts';
import { DevCluster } from './cluster.ts';
import { Companion, NOT_STARTED } from './companion.ts';
import { loopbackOrigins } from './guard.ts';

/** How a {@link DevSystem} is made. */
export interface DevSystemOptions {
  readonly nodes: number;
  /** Loopback address of the page. */
  readonly host: string;
  /** Port of the page, 0 for a free one; undefined for the usual one, or the next that is free. */
  readonly port: number | undefined;
  /** Secrets by which users' tokens are signed; undefined: nobody needs one. */
  readonly authKeys: string | undefined;
  /** Pages that may use the cluster beside its own. */
  readonly origins: readonly string[];
  readonly logger: Logger;
}

/** The page's usual port. */
export const DEV_PORT = 8080;
/** Ports tried behind the usual one. */
const FURTHER_PORTS = 50;

/** The page and the cluster behind it, as one service. */
export class DevSystem extends BasicService {
  readonly #options: DevSystemOptions;
  readonly #app: ReturnType<typeof createDevApp>;
  #cluster: DevCluster | undefined;
  #companion: Companion | undefined;

  constructor(options: DevSystemOptions) {
    super({ name: 'dev', starting: () => this.#starting(), stopping: () => this.#stopping() });
    this.#options = options;
    this.#app = createDevApp(
      () => this.#cluster,
      () => this.port,
      options.origins,
    );
  }

  /** Undefined before it runs. */
  get cluster(): DevCluster | undefined {
    return this.#cluster;
  }

  /** Port of the page; 0 before it listens. */
  get port(): number {
    return (this.#app.server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Address of the page. */
  get url(): string {
    return `http://${formatAddress({ host: this.#options.host, port: this.port })}/`;
  }

  /**
   * Runs a program beside the cluster, with what it needs to find it in its environment; it ends with the system.
   *
   * @returns its exit status, 0 where it was this system's end that ended it
   */
  async accompany(command: readonly string[]): Promise<number> {
    const failed = ({ message }: Error): void => this.#options.logger.error(message);
    try {
      this.#companion = new Companion(command, this.#cluster?.environment ?? {}, failed);
    } catch (error) {
      failed(error as Error);
      return NOT_STARTED;
    }
    const status = await this.#companion.exited;
    return this.state === 'Running' ? status : 0;
  }

  async #starting(): Promise<void> {
    const { nodes, authKeys, logger } = this.#options;
    await this.#listen();
    // the nodes must know the page's origin, so it has its port before they start
    const origins = [...loopbackOrigins(this.port), ...this.#options.origins];
    const cluster = new DevCluster({ nodes, logger, origins, authKeys });
    await cluster.start().catch(async (error: unknown) => {
      await cluster.stop();
      throw error;
    });
    this.#cluster = cluster;
  }

  async #stopping(): Promise<void> {
    await this.#companion?.stop();
    await this.#app.close();
    await this.#cluster?.stop();
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#options;
    if (port !== undefined) {
      await this.#app.listen({ host, port });
      return;
    }
    for (let next = DEV_PORT; ; next++) {
      try {
        await this.#app.listen({ host, port: next });
        return;
      } catch (error) {
        const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
        if (!taken || next === DEV_PORT + FURTHER_PORTS) throw error;
      }
    }
  }
}
