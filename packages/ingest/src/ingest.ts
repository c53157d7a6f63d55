import {
  type Address,
  BasicService,
  type Logger,
  listening,
  readTls,
  type Service,
  type TlsFiles,
} from '@ringway/service';
import type { Registry } from 'prom-client';
import { type Listener, listenInternally } from './internal-app.ts';
import { Lanes } from './lanes.ts';
import type { Mapping } from './mapping.ts';
import { createMetrics, type IngestMetrics } from './metrics.ts';
import type { Delivery, Refusal, Source, SourceHooks } from './port.ts';
import { Publisher, type Push } from './publisher.ts';
import { reasonOf } from './reason.ts';
import { type RetryBounds, untilDone, within } from './retry.ts';

/** The push SDK as an ingest uses it. */
export interface IngestPush extends Push {
  /** Undefined until the ring has been read. */
  ringVersion(): unknown;
  close(): Promise<void>;
}

/** What {@link createIngest} makes an ingest of. */
export interface IngestOptions {
  /** Called once, with what the adapter tells to. */
  source(hooks: SourceHooks): Source;
  readonly mapping: Mapping;
  /** Closed by the ingest. */
  readonly push: IngestPush;
  readonly logger: Logger;
  /** Most messages read and not settled. */
  readonly maxInFlight: number;
  /** Longest time for a stop, over all, in milliseconds. */
  readonly stopGraceMs: number;
  readonly listen: Address;
  readonly tls?: TlsFiles;
  /** A number of [0, 1). Default Math.random. */
  readonly random?: () => number;
}

/** A service that publishes what a queue delivers. */
export interface Ingest extends Service {
  /** Base URL of the internal listener as bound, known once started. */
  readonly internalUrl: string;
  readonly registry: Registry;
}

/** Makes an ingest; nothing is read before `start()`. */
export function createIngest(options: IngestOptions): Ingest {
  return new IngestService(options);
}

const LAG_INTERVAL_MS = 2_000;
const SET_ASIDE_RETRY: RetryBounds = { baseMs: 200, capMs: 5_000 };
/** Of the grace, what is left for giving back and closing. */
const CLOSING_SHARE = 0.2;
const CLOSING_MS = 2_000;

class IngestService extends BasicService implements Ingest {
  readonly #options: IngestOptions;
  readonly #metrics: IngestMetrics;
  readonly #source: Source;
  readonly #publisher: Publisher;
  readonly #lanes = new Lanes();
  readonly #abort = new AbortController();
  readonly #random: () => number;
  #listener: Listener | undefined;
  #reading: Promise<void> = Promise.resolve();
  #lagTimer: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #wake: (() => void) | undefined;
  #stopping = false;

  constructor(options: IngestOptions) {
    super({ name: 'ingest', starting: () => this.#starting(), stopping: () => this.#stop() });
    const { logger } = options;
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#metrics = createMetrics({
      inFlight: () => this.#inFlight,
      limit: () => options.maxInFlight,
      connected: () => this.#source.connected,
    });
    this.#source = options.source({
      failed: (doing, error) => {
        this.#metrics.sourceFailed(doing);
        logger.warn({ doing, reason: reasonOf(error) }, 'the queue failed, trying again');
      },
      redelivered: (count) => this.#metrics.redelivered(count),
    });
    this.#publisher = new Publisher({
      push: options.push,
      random: this.#random,
      retrying: (code, error, { id, to }) => {
        this.#metrics.retried(code);
        logger.warn(
          { reason: reasonOf(error), id, to: typeof to === 'string' ? to : 'users' },
          'refused for now, trying again',
        );
      },
    });
  }

  get internalUrl(): string {
    if (this.#listener === undefined) throw new Error('the ingest has no URL before it has started');
    return this.#listener.url;
  }

  get registry(): Registry {
    return this.#metrics.registry;
  }

  async #starting(): Promise<void> {
    const { listen, tls, push, logger } = this.#options;
    const opening = listenInternally(listen, {
      tls: tls && readTls(tls),
      registry: this.registry,
      ready: () => this.state === 'Running' && this.#source.connected && push.ringVersion() !== undefined,
    });
    this.#listener = await listening('RINGWAY_INTERNAL_LISTEN', listen, opening);
    this.#source.start();
    this.#reading = this.#read();
    this.#lagTimer = setInterval(() => void this.#askLag(), LAG_INTERVAL_MS);
    logger.info({ internal: this.internalUrl }, 'ingest listens');
  }

  async #stop(): Promise<void> {
    const { stopGraceMs, push, logger } = this.#options;
    const closing = Math.min(CLOSING_MS, stopGraceMs * CLOSING_SHARE);
    this.#stopping = true;
    clearInterval(this.#lagTimer);
    this.#source.pause();
    this.#wake?.();
    await within(stopGraceMs - closing, this.#finished());
    this.#abort.abort();
    if (this.#inFlight > 0) logger.warn({ count: this.#inFlight }, 'given back unfinished');
    await within(closing, Promise.all([this.#source.close(), push.close()]));
    await this.#listener?.close();
    this.#metrics.close();
  }

  async #read(): Promise<void> {
    const { maxInFlight } = this.#options;
    while (!this.#stopping) {
      if (this.#inFlight >= maxInFlight) await this.#woken();
      else for (const delivery of await this.#source.read(maxInFlight - this.#inFlight)) this.#take(delivery);
    }
  }

  /** Resolves when nothing is in flight. */
  async #finished(): Promise<void> {
    await this.#reading;
    while (this.#inFlight > 0) await this.#woken();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(delivery: Delivery): void {
    this.#inFlight++;
    const since = performance.now();
    void this.#work(delivery, since)
      .catch((error: unknown) => {
        // a fault of ours must not take the process into it again and again
        this.#options.logger.error(
          { err: error, origin: delivery.origin },
          'a message could not be worked on',
        );
        return this.#setAside(delivery, { reason: 'fault', detail: String(error) }, since);
      })
      .finally(() => {
        this.#inFlight--;
        this.#wake?.();
      });
  }

  async #work(delivery: Delivery, since: number): Promise<void> {
    const mapped = this.#options.mapping.map(delivery);
    if ('reason' in mapped) return this.#setAside(delivery, mapped, since);
    // what is set aside leaves its lane first: storing it elsewhere holds up nobody
    let refusal: Refusal | undefined;
    await this.#lanes.run(mapped.channels, async () => {
      const outcome = await this.#publisher.publish(mapped, this.#abort.signal);
      if (outcome.kind === 'abandoned') return;
      if (outcome.kind === 'refused') {
        refusal = outcome;
        return;
      }
      this.#source.acknowledge(delivery);
      this.#settled(outcome.kind, since);
    });
    if (refusal) await this.#setAside(delivery, refusal, since);
  }

  async #setAside(delivery: Delivery, { reason, detail }: Refusal, since: number): Promise<void> {
    const { logger } = this.#options;
    const done = await untilDone(() => this.#source.setAside(delivery, { reason, detail }), {
      bounds: SET_ASIDE_RETRY,
      random: this.#random,
      signal: this.#abort.signal,
      failed: (error) => {
        this.#metrics.sourceFailed('set_aside');
        logger.warn(
          { reason: reasonOf(error), origin: delivery.origin },
          'cannot be set aside now, trying again',
        );
      },
    });
    if (!done) return;
    logger.warn({ origin: delivery.origin, reason, detail }, 'set aside');
    this.#metrics.setAside(reason);
    this.#settled('set_aside', since);
  }

  #settled(result: 'published' | 'duplicate' | 'set_aside', since: number): void {
    this.#metrics.settled(result, (performance.now() - since) / 1_000);
  }

  async #askLag(): Promise<void> {
    try {
      this.#metrics.lag(await this.#source.lag());
    } catch (error) {
      this.#metrics.lag(undefined);
      if (this.#source.connected && !this.#stopping) {
        this.#metrics.sourceFailed('lag');
        this.#options.logger.debug({ reason: reasonOf(error) }, 'the lag cannot be asked');
      }
    }
  }
}
