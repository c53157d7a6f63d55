import type { AddressInfo } from 'node:net';
import { type MemberEntry, type Membership, type Registration, RingWatcher } from '@ringway/membership';
import {
  BasicService,
  checkInsecure,
  type KeyFamily,
  type Logger,
  listening,
  readAuthorities,
  readTls,
  type Service,
  type TlsFiles,
  tlsFiles,
} from '@ringway/service';
import { Accord } from './accord.ts';
import { type Addresses, addressesOf, checkAddresses, memberOf } from './addresses.ts';
import { bounded, within } from './bounds.ts';
import { Drain } from './drain.ts';
import { type OpenedRoster, openRoster } from './groups/open-roster.ts';
import { internalApp } from './http/internal-app.ts';
import { PublicListener } from './http/public-listener.ts';
import { newIncarnation } from './incarnation.ts';
import { type OpenedLog, openLog } from './log/open-log.ts';
import { Tenures } from './log/tenures.ts';
import { nodeMetrics, Tally } from './metrics.ts';
import { OwnState } from './own-state.ts';
import { type OpenedRouter, openRouter } from './router/open-router.ts';
import { MoveTickets } from './session/move-tickets.ts';
import { Sessions } from './session/sessions.ts';
import { Tickets } from './session/tickets.ts';
import { checkPings, type NodeSettings } from './settings.ts';

/** What the node counts of the registry that it reads. Hand it to an adapter as its hooks. */
export interface MembershipHooks {
  /** A registration was kept out of the ring. */
  rejected(reason: string): void;
}

export interface NodeOptions {
  readonly settings: NodeSettings;
  /**
   * Who is in the cluster; a function is called once and given what the node counts. A membership that was handed in
   * ready made is not closed by the node, one that it had made is.
   */
  readonly membership: Membership | ((hooks: MembershipHooks) => Membership);
  readonly ticketKeys: KeyFamily;
  readonly clusterKeys: KeyFamily;
  readonly logger: Logger;
  /** A random number in [0, 1). Default Math.random. */
  readonly random?: () => number;
}

/** A running node. */
export interface Node extends Service {
  readonly id: string;
  /** Names this start of the node. */
  readonly incarnation: string;
  /** Where clients and where peers reach it; known once it runs. */
  readonly addresses: Addresses;
  /** Sessions that it holds now. */
  readonly sessions: number;
  /** New origins and renewed certificates (those in the files that the settings name) for connections from now on. */
  reload(settings: NodeSettings): void;
}

/** How long past the closing of the last session a client may take to answer the goodbye, in milliseconds. */
const GOODBYE_MS = 1_000;
const SWEEP_MS = 1_000;
const DEREGISTER_MS = 2_000;
const MAX_REMEMBERED_TICKETS = 1_000_000;
/** How long the registry must call the node critical before it drains, in milliseconds. */
const CRITICAL_PATIENCE_MS = 3_000;

/** A node made of its parts; nothing happens before `start`. */
export function createNode(options: NodeOptions): Node {
  return new RingwayNode(options);
}

class RingwayNode extends BasicService implements Node {
  readonly id: string;
  readonly incarnation: string;
  private readonly parts: Parts;

  constructor(options: NodeOptions) {
    const parts = new Parts(options);
    super({
      name: `node ${options.settings.nodeId}`,
      starting: (signal) => parts.start(signal),
      stopping: () => parts.stop(),
    });
    this.parts = parts;
    // what goes wrong with the stopping is told to whoever waits for it
    parts.onEnd = () => void this.stop().catch(() => {});
    this.id = options.settings.nodeId;
    this.incarnation = parts.incarnation;
  }

  get addresses(): Addresses {
    const { addresses } = this.parts;
    if (!addresses) throw new Error('the node does not listen yet');
    return addresses;
  }

  get sessions(): number {
    return this.parts.sessions.size;
  }

  reload(settings: NodeSettings): void {
    this.parts.reload(settings);
  }
}

/** The parts of a node and the order in which they come and go. */
class Parts {
  readonly incarnation = newIncarnation(Date.now());
  readonly sessions: Sessions;
  addresses: Addresses | undefined;
  /** The node is to end: it was drained, or another start under this id has taken its place in the ring. */
  onEnd: () => void = () => {};
  private readonly options: NodeOptions;
  private readonly logger: Logger;
  private readonly membership: Membership;
  private readonly watcher: RingWatcher;
  private readonly opened: OpenedLog;
  private readonly drain: Drain;
  private readonly ownState: OwnState;
  private readonly openedRouter: OpenedRouter;
  private readonly openedRoster: OpenedRoster;
  private readonly accord: Accord;
  private readonly listener: PublicListener;
  private readonly internal: ReturnType<typeof internalApp>;
  private readonly metrics: { close(): void };
  private readonly publicTls: TlsFiles | undefined;
  private readonly internalTls: TlsFiles | undefined;
  private readonly closes = new Tally();
  private readonly membersRejected = new Tally();
  private readonly refused = new Tally();
  private origins: readonly string[];
  private registration: Registration | undefined;
  private sweeper: NodeJS.Timeout | undefined;
  /** Another start of this node has its place: this one is home of nothing. */
  private replaced = false;

  constructor(options: NodeOptions) {
    const { settings, logger, clusterKeys, ticketKeys } = options;
    const { nodeId, cluster } = settings;
    checkInsecure(settings);
    checkAddresses(settings);
    checkPings(settings);
    const now = (): number => performance.now();
    const wallClock = (): number => Date.now();
    this.options = options;
    this.logger = logger;
    this.origins = settings.origins;
    this.publicTls = tlsFiles(
      { cert: 'RINGWAY_PUBLIC_CERT', key: 'RINGWAY_PUBLIC_KEY' },
      settings.publicCert,
      settings.publicKey,
    );
    this.internalTls = tlsFiles(
      { cert: 'RINGWAY_INTERNAL_CERT', key: 'RINGWAY_INTERNAL_KEY' },
      settings.internalCert,
      settings.internalKey,
    );
    this.membership =
      typeof options.membership === 'function'
        ? options.membership({ rejected: (reason) => this.membersRejected.add(reason) })
        : options.membership;
    this.watcher = new RingWatcher({ membership: this.membership, log: logger });
    const tenures = new Tenures(this.incarnation, now);
    const random = options.random ?? Math.random;
    this.opened = openLog(settings, { epochs: tenures, logger, random, now });
    this.openedRouter = openRouter(settings, {
      incarnation: this.incarnation,
      keys: clusterKeys,
      log: this.opened.log,
      tenures,
      watcher: this.watcher,
      logger,
      random,
      now,
      wallClock,
      onPeerRefused: (reason, peer) => {
        this.refused.add('peer');
        logger.warn({ peer, reason }, 'a link to a peer was refused or given up');
      },
    });
    const { router, presence, places, peers } = this.openedRouter;
    this.openedRoster = openRoster(settings, { peers, logger, random, now, wallClock });
    const { roster } = this.openedRoster;
    const scheme = { router: settings.router, log: settings.log, groups: this.openedRoster.kind };
    this.accord = new Accord({
      self: { id: nodeId, incarnation: this.incarnation },
      scheme,
      ca: settings.internalCa && readAuthorities('RINGWAY_INTERNAL_CA', settings.internalCa),
      logger,
      onDiscord: ({ message }) => {
        logger.error(message);
        this.onEnd();
      },
    });
    const tickets = new Tickets({
      keys: ticketKeys,
      cluster,
      nodeId,
      incarnation: this.incarnation,
      maxRemembered: MAX_REMEMBERED_TICKETS,
      now: wallClock,
    });
    const publishes = new Tally();
    const moves = new Tally();
    this.sessions = new Sessions({
      nodeId,
      settings,
      router,
      presence,
      places,
      roster,
      tickets,
      moveTickets: new MoveTickets({
        keys: ticketKeys,
        cluster,
        idPrefix: `${this.incarnation}.`,
        now: wallClock,
      }),
      idPrefix: `${this.incarnation}.`,
      publishes,
      closes: this.closes,
      moves,
      logger,
      now,
      wallClock,
      random,
      onAuthenticated: (stream) => this.listener.authenticated(stream),
    });
    const { sessions, watcher, openedRouter } = this;
    openedRouter.onMoved = (moved) => sessions.mover.changed(moved);
    this.drain = new Drain({
      nodeId,
      graceMs: settings.stopGrace,
      closeSpreadMs: settings.stopSpread,
      pace: { rate: settings.moveRate, spreadMs: settings.moveSpread },
      sessions,
      logger,
      now,
      leave: () => {
        this.ownState.forget();
        return this.registration?.leave() ?? Promise.resolve();
      },
      rejoin: () => {
        this.ownState.forget();
        return this.registration?.rejoin() ?? Promise.resolve();
      },
      // a registry that is away has not told anyone: then the peers are told, and this node goes by it as they do
      empty: () => watcher.saidLeaving(nodeId, this.incarnation),
      channelsClosed: () => this.replaced || openedRouter.channelsClosed,
      drained: () => this.onEnd(),
    });
    this.ownState = new OwnState({
      patienceMs: CRITICAL_PATIENCE_MS,
      out: (cause) => {
        if (this.drain.said) return;
        logger.warn({ cause }, 'the registry has this node out of the ring');
        this.drain.begin(cause);
      },
      up: () => this.backInRing(),
    });
    const metrics = nodeMetrics({
      sessions: () => sessions.size,
      sessionsLimit: settings.maxSessions,
      guests: () => openedRouter.counts.guests,
      standbys: () => openedRouter.counts.standbys,
      channels: () => sessions.hub.size,
      peers: () => openedRouter.counts.peers,
      relayFrames: () => openedRouter.counts.relayed,
      delivered: () => sessions.hub.delivered,
      repeats: () => sessions.hub.repeats + openedRouter.counts.repeats,
      lagging: () => sessions.lagging,
      gaps: () => sessions.hub.gaps,
      dropped: () => openedRouter.counts.dropped,
      mismatches: () => openedRouter.counts.mismatches,
      stops: () => openedRouter.counts.stops,
      sendBufferBytes: () => sessions.sendBufferBytes,
      logBytes: () => this.opened.keptBytes(),
      ringAgeSeconds: () => watcher.ageSeconds(),
      ringMembers: () => places.ring.size,
      publishes,
      closes: this.closes,
      moves,
      movesPending: () => sessions.mover.pendingCount,
      movesLeft: () => sessions.mover.wantedCount,
      draining: () => this.drain.active,
      refused: this.refused,
      membersRejected: this.membersRejected,
    });
    this.metrics = metrics;
    this.opened.register(metrics.registry);
    openedRouter.register(metrics.registry);
    this.openedRoster.register(metrics.registry);
    this.listener = new PublicListener({
      listen: settings.publicListen,
      tls: this.publicTls && readTls(this.publicTls),
      frameBytes: settings.frameBytes,
      headerTimeoutMs: settings.headerTimeout,
      maxUnauthenticated: settings.maxUnauthenticated,
      origins: () => this.origins,
      onSocket: (socket, stream, ticket) => sessions.accept(socket, stream, ticket),
      onRefused: (reason) => this.refused.add(reason),
    });
    let ids = 0;
    this.internal = internalApp({
      nodeId,
      cluster,
      keys: clusterKeys,
      insecure: settings.insecure,
      about: { incarnation: this.incarnation, ...scheme },
      tls: this.internalTls && readTls(this.internalTls),
      bodyBytes: settings.bodyBytes,
      headerTimeoutMs: settings.headerTimeout,
      maxListUsers: settings.maxListUsers,
      router,
      presence,
      roster,
      registry: metrics.registry,
      logger,
      messageId: () => `${this.incarnation}.h${(ids++).toString(36)}`,
      // not before whoever starts next finds it: what is in memory alone goes from node to node
      ready: () => this.ownState.joined && !this.drain.active,
      drain: {
        begin: () => this.drain.begin('request'),
        cancel: () => this.drain.lift('request'),
        progress: () => this.drain.progress,
      },
      sessionsOf: (userId) => sessions.sessionsOf(userId),
      count: (result) => publishes.add(result),
      acceptPeer: (request, socket, head) => openedRouter.acceptPeer(request, socket, head),
    });
  }

  /** `signal` is aborted when the node is stopped meanwhile. */
  async start(signal: AbortSignal): Promise<void> {
    const { settings } = this.options;
    const { startTimeout } = settings;
    await within(startTimeout, signal, 'connecting to the log', this.opened.start());
    await within(startTimeout, signal, 'reading the ring from the registry', this.watcher.start());
    await this.accord.join(this.watcher.current.members);
    const routing = this.openedRouter.start(this.sessions.hub, () => this.watcher.current);
    await within(startTimeout, signal, 'starting the router', routing);
    const enrolling = this.openedRoster.roster.start(this.sessions.members);
    await within(startTimeout, signal, 'reading who is in which groups', enrolling);
    this.watcher.subscribe((_before, after) => {
      this.openedRouter.setRing(after);
      this.accord.changed(after.members);
      this.lookAtSelf();
    });
    this.sessions.start();
    this.sweeper = setInterval(() => this.opened.sweep(), SWEEP_MS);
    this.sweeper.unref();
    const { publicListen, internalListen } = settings;
    const publicPort = await listening('RINGWAY_PUBLIC_LISTEN', publicListen, this.listener.listen());
    await listening('RINGWAY_INTERNAL_LISTEN', internalListen, this.internal.listen({ ...internalListen }));
    const { port: internalPort } = this.internal.server.address() as AddressInfo;
    const { publicTls, internalTls } = this;
    this.addresses = addressesOf(
      settings,
      { public: publicPort, internal: internalPort },
      { public: publicTls !== undefined, internal: internalTls !== undefined },
    );
    const registering = this.membership.register(memberOf(settings, this.incarnation, this.addresses), {
      lost: () => this.logger.warn('the registry has lost this node, registering again'),
      restored: () => this.logger.info('registered again'),
      replaced: (incarnation) => {
        this.logger.error({ incarnation }, 'another start of this node has replaced this one, stopping');
        this.replaced = true;
        this.openedRouter.abdicate();
        this.onEnd();
      },
    });
    this.registration = await within(startTimeout, signal, 'registering', registering);
    this.lookAtSelf();
    this.logger.info({ ...this.addresses, incarnation: this.incarnation }, 'the node runs');
  }

  /** Out of the ring first, so that clients find their new node; then the sessions, then the rest. */
  async stop(): Promise<void> {
    const { settings } = this.options;
    const { logger, registration } = this;
    // a start that came to nothing has nobody to send away
    if (registration || this.drain.active || this.listed) await this.drain.finish();
    this.ownState.stop();
    this.openedRouter.calm();
    this.accord.stop();
    if (registration) {
      const atMost = Math.min(DEREGISTER_MS, settings.stopGrace / 3);
      await bounded(registration.deregister(), atMost, 'deregistering', logger);
    }
    this.sessions.stop();
    clearInterval(this.sweeper);
    await this.openedRoster.roster.stop();
    await this.openedRouter.router.stop();
    await bounded(this.listener.close(), GOODBYE_MS, 'closing the public listener', logger);
    await bounded(this.internal.close(), GOODBYE_MS, 'closing the internal listener', logger);
    await this.watcher.close();
    if (typeof this.options.membership === 'function') await this.membership.close();
    await this.opened.log.close();
    this.metrics.close();
  }

  reload(settings: NodeSettings): void {
    const tls = this.publicTls && readTls(this.publicTls);
    if (this.internalTls) readTls(this.internalTls);
    this.origins = settings.origins;
    if (tls) this.listener.setTls(tls);
    if (this.internalTls && 'setSecureContext' in this.internal.server) {
      (this.internal.server as unknown as { setSecureContext(tls: object): void }).setSecureContext(
        readTls(this.internalTls),
      );
    }
  }

  private lookAtSelf(): void {
    this.ownState.look(this.listed?.state);
  }

  /** What the registry shows of this start of the node. */
  private get listed(): MemberEntry | undefined {
    const { nodeId } = this.options.settings;
    const own = this.watcher.snapshot?.members.find(({ id }) => id === nodeId);
    return own?.incarnation === this.incarnation ? own : undefined;
  }

  private backInRing(): void {
    // somebody has taken back what the node has said: it stands by its word
    if (this.drain.said) this.drain.repeat();
    else for (const cause of ['maintenance', 'critical'] as const) this.drain.lift(cause);
  }
}
