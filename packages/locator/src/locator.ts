import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type OfferResult, RingWatcher, type Watching } from '@ringway/membership';
import { HTTP } from '@ringway/protocol';
import {
  type Address,
  BasicService,
  formatAddress,
  type KeyFamily,
  type Logger,
  listening,
  readTls,
  type Service,
  type TlsFiles,
} from '@ringway/service';
import type { Registry } from 'prom-client';
import type { Authenticate } from './auth/port.ts';
import { createInternalApp } from './internal-app.ts';
import { createMetrics, type LocatorMetrics } from './metrics.ts';
import type { OpenApiDocument } from './openapi.ts';
import { Overload } from './overload.ts';
import { createPublicApp } from './public-app.ts';
import { type RateLimit, RateLimiter } from './rate-limit.ts';
import { RingWaiters } from './ring-waiters.ts';
import { Router } from './router.ts';
import { loadSdk, type SdkFiles } from './sdk.ts';
import { Carrier, type FallbackOptions } from './tunnel/carrier.ts';

/** What the locator counts of the registry that it reads. Hand it to an adapter as its hooks. */
export interface MembershipHooks {
  /** A registration was kept out of the ring. */
  rejected(reason: string): void;
  /** The ring was offered in Redis, or could not be. */
  offered(result: OfferResult): void;
}

/** What {@link createLocator} makes a locator of. */
export interface LocatorOptions {
  /** The cluster's name, issuer of its tokens. Default `ringway`. */
  readonly cluster?: string;
  /**
   * Who is in the cluster; a function is called once and given what the locator counts. A membership that was handed in
   * ready made is not closed by the locator, one that it had made is.
   */
  readonly membership: Watching | ((hooks: MembershipHooks) => Watching);
  readonly ticketKeys: KeyFamily;
  readonly clusterKeys: KeyFamily;
  readonly authenticate: Authenticate;
  readonly logger: Logger;
  /** Default `127.0.0.1:0`, a free port. */
  readonly publicListen?: Address;
  /** Default `127.0.0.1:0`, a free port. */
  readonly internalListen?: Address;
  readonly publicTls?: TlsFiles;
  readonly internalTls?: TlsFiles;
  /** Web pages that may ask. Default none. */
  readonly origins?: readonly string[];
  /** Of one caller. Default 20 a second, 40 at once. */
  readonly routeLimit?: RateLimit;
  /** How late the event loop may be before `/route` refuses, in milliseconds. Default 500. */
  readonly maxLag?: number;
  /** The internal listener asks for no tokens; for loopback only. Default false. */
  readonly internalOpen?: boolean;
  /** Served in `/sdk/`; nothing is when left out. */
  readonly sdk?: SdkFiles;
  /** Carries sockets to the nodes, for clients that reach only the locator; not when left out. */
  readonly fallback?: FallbackOptions;
  /** How long `/readyz` says no before the listeners close, in milliseconds. Default 0. */
  readonly stopDelay?: number;
  /** Milliseconds since the epoch. Default the machine's clock. */
  readonly now?: () => number;
}

/** Defaults of {@link LocatorOptions}. */
export const LOCATOR_DEFAULTS = Object.freeze({
  cluster: 'ringway',
  listen: Object.freeze({ host: '127.0.0.1', port: 0 }),
  origins: Object.freeze([]) as readonly string[],
  routeLimit: Object.freeze({ rate: 20, burst: 40 }),
  maxLag: 500,
  internalOpen: false,
  stopDelay: 0,
});

/** What can be changed in a running locator. Keys are changed in their families. */
export interface LocatorReload {
  readonly origins?: readonly string[];
  /** Read again from the paths given at the start, unless there are others. */
  readonly publicTls?: TlsFiles;
  readonly internalTls?: TlsFiles;
}

/** A service that tells clients and backends which node owns a user. Any number can run; none keeps state. */
export interface Locator extends Service {
  /** Base URL of the public listener as bound, known once started. */
  readonly publicUrl: string;
  /** Base URL of the internal listener as bound, known once started. */
  readonly internalUrl: string;
  readonly registry: Registry;
  /** Resolves when the ring has been read for the first time, which starting does not wait for. */
  whenReady(): Promise<void>;
  /** Takes over origins, and reads certificates again. @throws SettingsError, and then nothing has changed. */
  reload(changes?: LocatorReload): void;
}

/** Makes a locator; nothing listens before `start()`. */
export function createLocator(options: LocatorOptions): Locator {
  return new LocatorService(options);
}

interface Listener {
  readonly url: string;
  reloadTls(files: TlsFiles | undefined): () => void;
  close(): Promise<void>;
}

/** As much of a Fastify application as is needed to run it. */
interface App {
  readonly server: { address(): AddressInfo | string | null };
  listen(address: Address): Promise<unknown>;
  close(): Promise<unknown>;
}

class LocatorService extends BasicService implements Locator {
  readonly #options: LocatorOptions;
  readonly #metrics: LocatorMetrics;
  readonly #membership: Watching;
  readonly #watcher: RingWatcher;
  readonly #waiters: RingWaiters;
  readonly #overload: Overload;
  #origins: readonly string[];
  #public: Listener | undefined;
  #internal: Listener | undefined;
  #carrier: Carrier | undefined;

  constructor(options: LocatorOptions) {
    super({ name: 'locator', starting: () => this.#starting(), stopping: () => this.#stopping() });
    this.#options = options;
    this.#origins = options.origins ?? LOCATOR_DEFAULTS.origins;
    this.#metrics = createMetrics({
      ageSeconds: () => this.#watcher.ageSeconds(),
      members: () => this.#watcher.current.size,
      carried: () => this.#carrier?.size ?? 0,
    });
    const hooks: MembershipHooks = {
      rejected: (reason) => this.#metrics.memberRejected(reason),
      offered: (result) => this.#metrics.ringOffered(result),
    };
    const { membership } = options;
    this.#membership = typeof membership === 'function' ? membership(hooks) : membership;
    this.#watcher = new RingWatcher({ membership: this.#membership, log: options.logger, hooks });
    this.#watcher.subscribe(() => this.#metrics.ringChanged());
    this.#overload = new Overload({
      maxLagMs: options.maxLag ?? LOCATOR_DEFAULTS.maxLag,
      now: () => performance.now(),
      random: Math.random,
    });
    this.#waiters = new RingWaiters(this.#watcher);
  }

  get publicUrl(): string {
    return url(this.#public);
  }

  get internalUrl(): string {
    return url(this.#internal);
  }

  get registry(): Registry {
    return this.#metrics.registry;
  }

  whenReady(): Promise<void> {
    return this.#watcher.start();
  }

  reload(changes: LocatorReload = {}): void {
    // both certificates are read before either is taken
    const takePublic = this.#public?.reloadTls(changes.publicTls);
    const takeInternal = this.#internal?.reloadTls(changes.internalTls);
    takePublic?.();
    takeInternal?.();
    if (changes.origins) this.#origins = changes.origins;
  }

  async #starting(): Promise<void> {
    const {
      logger,
      cluster = LOCATOR_DEFAULTS.cluster,
      ticketKeys,
      clusterKeys,
      sdk,
      now = Date.now,
    } = this.#options;
    const { publicTls, internalTls } = this.#options;
    const { publicListen = LOCATOR_DEFAULTS.listen, internalListen = LOCATOR_DEFAULTS.listen } =
      this.#options;
    this.#watcher.start().catch(() => {
      // closed before the first read: stopping, nothing to tell
    });
    const { fallback, authenticate } = this.#options;
    const router = new Router({
      cluster,
      source: this.#watcher,
      ticketKeys,
      clusterKeys,
      fallback: fallback && `${fallback.url}${HTTP.connect}?ticket=`,
      now,
    });
    const limiter = new RateLimiter(this.#options.routeLimit ?? LOCATOR_DEFAULTS.routeLimit);
    const ready = () => this.state === 'Running' && this.#watcher.snapshot !== undefined;
    const publicApp = await createPublicApp({
      logger,
      ready,
      ...(publicTls ? { tls: publicTls } : {}),
      origins: () => this.#origins,
      sdk: await loadSdk(sdk ?? {}),
      route: {
        authenticate,
        limiter,
        router,
        metrics: this.#metrics,
        overload: this.#overload,
        onFault: (error) => logger.error({ err: error }, 'GET /route failed'),
      },
    });
    const internalApp = await createInternalApp({
      logger,
      ready,
      ...(internalTls ? { tls: internalTls } : {}),
      cluster,
      clusterKeys,
      open: this.#options.internalOpen ?? LOCATOR_DEFAULTS.internalOpen,
      source: this.#watcher,
      waiters: this.#waiters,
      router,
      metrics: this.#metrics,
      now,
      publicDocument: () => publicApp.swagger() as OpenApiDocument,
    });
    if (fallback) {
      const carrier = new Carrier({
        ...fallback,
        router,
        authenticate,
        limiter,
        origins: () => this.#origins,
        counted: (result) => this.#metrics.carried(result),
        onFault: (error) => logger.error({ err: error }, '/connect failed'),
      });
      this.#carrier = carrier;
      publicApp.server.on('upgrade', (request, socket, head) => carrier.upgrade(request, socket, head));
    }
    this.#overload.start();
    this.#public = await open('RINGWAY_PUBLIC_LISTEN', publicApp, publicListen, publicTls);
    this.#internal = await open('RINGWAY_INTERNAL_LISTEN', internalApp, internalListen, internalTls);
    logger.info({ public: this.publicUrl, internal: this.internalUrl }, 'locator listens');
  }

  async #stopping(): Promise<void> {
    const { stopDelay = LOCATOR_DEFAULTS.stopDelay, membership } = this.#options;
    if (stopDelay > 0 && this.#public) await delay(stopDelay);
    this.#waiters.close();
    this.#carrier?.close();
    this.#overload.stop();
    await Promise.all([this.#public?.close(), this.#internal?.close()]);
    await this.#watcher.close();
    if (typeof membership === 'function') await this.#membership.close();
    this.#metrics.close();
  }
}

function url(listener: Listener | undefined): string {
  if (!listener) throw new Error('the locator has no URL before it has started');
  return listener.url;
}

async function open(
  setting: string,
  app: App,
  address: Address,
  tls: TlsFiles | undefined,
): Promise<Listener> {
  // Fastify writes into what it is given
  await listening(setting, address, app.listen({ ...address }));
  const bound = app.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return {
    url: `${tls ? 'https' : 'http'}://${formatAddress({ host: address.host, port })}`,
    reloadTls(files = tls) {
      if (!files || !tls) return () => {};
      const material = readTls(files);
      return () => {
        if ('setSecureContext' in app.server && typeof app.server.setSecureContext === 'function') {
          app.server.setSecureContext(material);
        }
      };
    },
    close: async () => {
      await app.close();
    },
  };
}
