import type { RingDocument } from '@ringway/protocol';
import { buildRing, keyPoint, RING_FORMAT, type Ring } from '@ringway/ring';
import { OptionError, PushError, UnavailableError } from './errors.ts';
import { LOCATOR_AUDIENCE, LocatorClient } from './locator-client.ts';
import { memberRing } from './member-ring.ts';
import { OwnerTokens } from './owner-tokens.ts';
import type { NodeTokens, PushRing, RingSource, SourceContext, TokenIssuer } from './port.ts';

/** How to reach the locators. */
export interface LocatorSourceOptions {
  /** Internal listeners of the locators, `http://` or `https://`; asked in this order until one answers. */
  readonly urls: readonly string[];
  /**
   * A cluster token (scope push, audience `locator`), or what gets a fresh one: for a backend that has no cluster keys.
   * With keys the SDK makes its own.
   */
  readonly token?: string | (() => string | Promise<string>);
}

interface Member {
  readonly id: string;
  readonly weight: number;
  readonly internalUrl: string;
}

const WAIT_MS = 10_000;
const SPACING_MS = 50;
const BACKOFF_BASE_MS = 100;
const BACKOFF_CAP_MS = 2_000;

/** The ring as a locator's `GET /ring` tells it, by long poll. */
export function locatorSource(options: LocatorSourceOptions): RingSource & TokenIssuer {
  return new LocatorSource(options);
}

class LocatorSource implements RingSource, TokenIssuer {
  readonly #urls: readonly string[];
  readonly #token: LocatorSourceOptions['token'];
  readonly #abort = new AbortController();
  #client: LocatorClient | undefined;
  #random: () => number = Math.random;
  #ring: Ring<Member> | undefined;
  #view: PushRing | undefined;
  #problem: Error | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: LocatorSourceOptions) {
    if (options.urls.length === 0) throw new OptionError('urls', 'expected at least one locator');
    for (const url of options.urls) {
      if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
        throw new OptionError('urls', `expected http:// or https:// URLs, got ${JSON.stringify(url)}`);
      }
    }
    this.#urls = Object.freeze(options.urls.map((url) => url.replace(/\/+$/, '')));
    this.#token = options.token;
  }

  start(context: SourceContext): void {
    const given = this.#token;
    const { mint } = context;
    if (given === undefined && mint === undefined) {
      throw new OptionError(
        'clusterKeys',
        "expected the cluster's keys, or a `token` for the locator source",
      );
    }
    const token = () =>
      given === undefined ? (mint?.(LOCATOR_AUDIENCE) ?? '') : typeof given === 'string' ? given : given();
    this.#random = context.random;
    this.#client = new LocatorClient(this.#urls, context.transport, token);
    void this.#watch(this.#client);
  }

  current(): PushRing | undefined {
    return this.#view;
  }

  problem(): Error | undefined {
    return this.#problem;
  }

  refresh(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return Promise.resolve();
    this.#refreshing ??= this.#read(client, undefined).then(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  tokens(): NodeTokens {
    return new OwnerTokens({
      owner: (userId) => {
        if (this.#client === undefined) throw new UnavailableError('the locator source has not been started');
        return this.#client.owner(userId, this.#abort.signal);
      },
      owns: (nodeId, channel) => this.#ring?.ownerAt(keyPoint(channel))?.id === nodeId,
    });
  }

  close(): Promise<void> {
    this.#abort.abort();
    return Promise.resolve();
  }

  async #watch(client: LocatorClient): Promise<void> {
    let failures = 0;
    let index: string | undefined;
    while (!this.#abort.signal.aborted) {
      const read = await this.#read(client, index);
      // after a failure the next reading starts anew: another locator may count otherwise
      index = read ? this.#ring?.version.index : undefined;
      failures = read ? 0 : failures + 1;
      const cap = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures, 10));
      await pause(failures === 0 ? SPACING_MS : cap * (0.5 + this.#random() / 2), this.#abort.signal);
    }
  }

  /** One reading; whether it succeeded. */
  async #read(client: LocatorClient, index: string | undefined): Promise<boolean> {
    const { signal } = this.#abort;
    try {
      const query = index === undefined ? { signal } : { index, waitMs: WAIT_MS, signal };
      this.#take(await client.ring(query));
      this.#problem = undefined;
      return true;
    } catch (error) {
      this.#problem =
        error instanceof PushError ? error : new UnavailableError(`ring: ${String(error)}`, { cause: error });
      return false;
    }
  }

  #take(document: RingDocument): void {
    if (document.format !== RING_FORMAT) {
      throw new UnavailableError(
        `the cluster's ring has format ${document.format}, this SDK builds format ${RING_FORMAT}`,
      );
    }
    const { index, checksum } = document;
    if (this.#ring?.version.index === index && this.#ring.version.checksum === checksum) return;
    const members = document.members
      .filter(({ state }) => state === 'up')
      .map(({ id, weight, internalUrl }) => ({ id, weight, internalUrl }));
    const ring = buildRing<Member>(members, { index, previous: this.#ring });
    if (ring.version.checksum !== checksum) {
      throw new UnavailableError(
        `the ring that was read has checksum ${checksum}, but is built to ${ring.version.checksum}`,
      );
    }
    this.#ring = ring;
    this.#view = memberRing(ring);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
