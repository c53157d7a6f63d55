import { type MemberSigner, RingWatcher, type Watching } from '@ringway/membership';
import { OptionError, UnavailableError } from './errors.ts';
import { memberRing } from './member-ring.ts';
import type { PushRing, RingSource, SourceContext } from './port.ts';

/** What the SDK gives to whoever makes the membership. */
export interface WatchContext {
  readonly cluster: string;
  readonly signer: MemberSigner;
  readonly random: () => number;
}

/** A ring that is built here, of members that a registry shows. Needs the SDK's `clusterKeys`: members are signed. */
export class WatchedSource implements RingSource {
  readonly #registry: string;
  readonly #open: (context: WatchContext) => Watching;
  #watcher: RingWatcher | undefined;
  #view: PushRing | undefined;
  #close: () => Promise<void> = () => Promise.resolve();

  /** `registry` names it in errors. */
  constructor(registry: string, open: (context: WatchContext) => Watching) {
    this.#registry = registry;
    this.#open = open;
  }

  start({ cluster, signer, random }: SourceContext): void {
    if (signer === undefined)
      throw new OptionError('clusterKeys', `required with a ${this.#registry} source`);
    const membership = this.#open({ cluster, signer, random });
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
    return reason && new UnavailableError(`${this.#registry}: ${reason}`);
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
