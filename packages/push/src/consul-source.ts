import { type ConsulTls, consulMembership, RingWatcher, serviceName } from '@ringway/membership';
import { OptionError, UnavailableError } from './errors.ts';
import { memberRing } from './member-ring.ts';
import type { PushRing, RingSource, SourceContext } from './port.ts';

/** How to reach Consul. */
export interface ConsulSourceOptions {
  /** The local agent. Default `http://127.0.0.1:8500`. */
  readonly address?: string;
  /** ACL token: `service:read` on the cluster's service and on `consul`, `node:read`. */
  readonly token?: string;
  /** For an `https:` address, PEM. */
  readonly tls?: ConsulTls;
}

/**
 * The ring as the cluster's nodes see it in Consul. Needs the SDK's `clusterKeys`: only members that are signed with
 * them are believed.
 */
export function consulSource(options: ConsulSourceOptions = {}): RingSource {
  return new ConsulSource(options);
}

class ConsulSource implements RingSource {
  readonly #options: ConsulSourceOptions;
  #watcher: RingWatcher | undefined;
  #view: PushRing | undefined;
  #close: () => Promise<void> = () => Promise.resolve();

  constructor(options: ConsulSourceOptions) {
    this.#options = options;
  }

  start({ cluster, signer, random }: SourceContext): void {
    if (signer === undefined) throw new OptionError('clusterKeys', 'required with a Consul source');
    const { address = 'http://127.0.0.1:8500', token, tls } = this.#options;
    const membership = consulMembership({
      address,
      signer,
      random,
      service: serviceName(cluster),
      ...(token !== undefined && { token }),
      ...(tls !== undefined && { tls }),
    });
    const watcher = new RingWatcher({ membership });
    this.#watcher = watcher;
    watcher.start().catch(() => {});
    this.#close = async () => {
      await watcher.close();
      await membership.close();
    };
  }

  current(): PushRing | undefined {
    const watcher = this.#watcher;
    if (watcher?.snapshot === undefined) return undefined;
    const ring = watcher.current;
    const { index, checksum } = ring.version;
    if (this.#view?.index !== index || this.#view.checksum !== checksum) this.#view = memberRing(ring);
    return this.#view;
  }

  problem(): Error | undefined {
    const reason = this.#watcher?.stale;
    return reason && new UnavailableError(`Consul: ${reason}`);
  }

  async refresh(): Promise<void> {
    // what cannot be read now is read by the watch later
    await this.#watcher?.reread().catch(() => {});
  }

  async close(): Promise<void> {
    const close = this.#close;
    this.#close = () => Promise.resolve();
    await close();
  }
}
