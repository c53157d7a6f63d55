import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SocketLike } from '@ringway/link';
import type { Member } from '@ringway/membership';
import { HTTP } from '@ringway/protocol';
import {
  hmacSigner,
  type KeyFamily,
  mintClusterToken,
  type TextSigner,
  verifyClusterToken,
} from '@ringway/service';
import { WebSocket, WebSocketServer } from 'ws';
import { refuse } from '../http/refuse.ts';
import { Hearing } from './hearing.ts';
import { Inbound } from './inbound.ts';
import { Outbound } from './outbound.ts';
import { PeerSocket } from './peer-socket.ts';
import { type Control, encodeControl, type PeerRecord } from './wire.ts';

/** Who uses the links: the router. */
export interface PeerUser {
  onRequest(from: Inbound, record: PeerRecord): void;
  onReply(from: Outbound, record: PeerRecord): void;
  onLinkOpen(link: Outbound): void;
  onLinkDown(link: Outbound): void;
  onHolderDown(holder: Inbound): void;
  /** A peer has told of another ring than before. */
  onRingTold(): void;
  /** Who is down has changed. */
  onHearing(): void;
  /** Every peer takes again what it is given. */
  onRelief(): void;
}

/** Who else speaks over the links, in controls of its own kinds: those that it takes the user does not get. */
export interface PeerParty {
  /** False: not of its kinds. */
  onRequest(from: Inbound, control: Control): boolean;
  onReply(from: Outbound, control: Control): boolean;
  onLinkOpen(link: Outbound): void;
  onLinkDown(link: Outbound): void;
}

export interface PeersOptions {
  readonly self: { readonly id: string; readonly incarnation: string };
  readonly cluster: string;
  readonly keys: KeyFamily;
  /** No answer for so long, and the link is given up; heartbeats go at a third of it. Milliseconds. */
  readonly linkTimeoutMs: number;
  readonly highWaterBytes: number;
  readonly maxWaitingBytes: number;
  readonly maxFrameBytes: number;
  /** Certificate authorities for https peers, PEM. */
  readonly ca?: string | undefined;
  readonly checksum: () => string;
  /** Looked at before each batch; false when the process has stood still, and what it reads is from before that. */
  readonly awake: () => boolean;
  readonly now: () => number;
  readonly nonce: () => string;
  readonly onMismatch: (checksum: string) => void;
  readonly onRefused: (reason: string, nodeId: string) => void;
  /** Opens a WebSocket to a peer's internal listener; npm `ws` unless given. */
  readonly connect?: (url: string, headers: Readonly<Record<string, string>>) => SocketLike;
}

/** How often a congested link is looked at, in milliseconds. */
const RELIEF_MS = 10;
/** Names the dialler's start: two of one node, such as one that was thought dead, must not end each other's links. */
const INCARNATION_HEADER = 'x-ringway-incarnation';
/** Names the dialler's link timeout, which may not be this node's. */
const TIMEOUT_HEADER = 'x-ringway-link-timeout';
/** Longest link timeout that a dialler may name, in milliseconds: what it holds is not kept for it for ever. */
const MAX_TIMEOUT_MS = 120_000;

/** Nodes need no masks between them: nothing that a script could steer comes near these bytes (RFC 6455, 10.3). */
function noMask(mask: Buffer): void {
  mask.fill(0);
}

/** The links of a node: one dialled to each other member of the ring, and those that the others have dialled. */
export class Peers {
  readonly hearing: Hearing;
  private readonly options: PeersOptions;
  private readonly signer: TextSigner;
  private readonly outbound = new Map<string, Outbound>();
  /** To members that have left the ring: what was sent there is still answered, and what they have kept can be read. */
  private readonly departing = new Map<string, Outbound>();
  private readonly inbound = new Set<Inbound>();
  private readonly server: WebSocketServer;
  private user: PeerUser | undefined;
  /** To be added to before the start. */
  readonly parties: PeerParty[] = [];
  private timer: NodeJS.Timeout | undefined;
  /** Until when half of the ring is known to hear this node, unless it is heard again. */
  private heardUntil = 0;
  private relief: NodeJS.Timeout | undefined;

  constructor(options: PeersOptions) {
    this.options = options;
    this.signer = hmacSigner(options.keys, 'ringway-peer');
    this.hearing = new Hearing({
      selfId: options.self.id,
      graceMs: options.linkTimeoutMs,
      agrees: (id) => this.outbound.get(id)?.checksum === options.checksum(),
      now: options.now,
    });
    this.server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxFrameBytes,
    });
  }

  start(user: PeerUser): void {
    this.user = user;
    this.timer = setInterval(() => this.beat(), this.options.linkTimeoutMs / 3);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    clearTimeout(this.relief);
    this.user = undefined;
    for (const link of [...this.inbound]) {
      link.flush();
      link.close();
    }
    const links = [...this.links()];
    this.outbound.clear();
    this.departing.clear();
    await Promise.all(links.map((link) => link.stop()));
    this.server.close();
  }

  /**
   * Dials whoever is new in the ring. A link to a member that left stays for as long as the member keeps it. A new start
   * of a node is a new peer, and ends the link to the one before.
   */
  setMembers(members: readonly Member[]): void {
    const { self } = this.options;
    this.hearing.setMembers(members);
    const wanted = new Map(members.filter((m) => m.id !== self.id).map((m) => [m.id, m]));
    for (const [id, link] of this.outbound) {
      const member = wanted.get(id);
      if (member && sameStart(member, link.member)) continue;
      this.outbound.delete(id);
      if (member || !link.open) void link.stop();
      else this.departing.set(id, link);
    }
    for (const [id, member] of wanted) {
      if (this.outbound.has(id)) continue;
      const before = this.departing.get(id);
      this.departing.delete(id);
      if (before && sameStart(member, before.member)) {
        this.outbound.set(id, before);
        this.hearing.heard(id, before.open);
        continue;
      }
      void before?.stop();
      const link = new Outbound(member, this.outboundContext());
      this.outbound.set(id, link);
      link.start();
    }
    // said at once: whoever has this ring too may be sent sessions
    const unheard = this.hearing.unheard();
    for (const link of this.outbound.values()) link.heartbeat(unheard, 0);
    this.settle();
  }

  /** Ends every link at once, with what has not been read; those to members are dialled again. */
  reset(): void {
    for (const link of [...this.inbound]) link.close();
    for (const link of [...this.links()]) link.drop('this node stood still');
  }

  /** Whether at least half of the ring, this node included, has told the same checksum as this node's. */
  get agreed(): boolean {
    let agreed = 1;
    for (const link of this.outbound.values())
      if (link.open && link.checksum === this.options.checksum()) agreed++;
    return agreed * 2 >= this.outbound.size + 1;
  }

  /**
   * Whether half of the ring may be taken to hear this node still: to be looked at before it acts as a home. That ends
   * before the others can have given it up: they wait for a whole link timeout behind its last word, which is at most a
   * third of one before theirs.
   */
  get heard(): boolean {
    const now = this.options.now();
    if (now < this.heardUntil) return true;
    const needed = this.hearing.othersForHalf;
    if (needed <= 0) return true;
    const times: number[] = [];
    for (const id of this.hearing.mutual()) times.push(this.outbound.get(id)?.heardAt ?? 0);
    const last = times.sort((a, b) => b - a)[needed - 1] ?? Number.NEGATIVE_INFINITY;
    this.heardUntil = last + (this.options.linkTimeoutMs * 2) / 3;
    return now < this.heardUntil;
  }

  /** Whether a start of a node is heard, and has told of another ring than this node's. */
  disagrees({ id, incarnation }: Member): boolean {
    const link = this.reach(id);
    return (
      link?.open === true &&
      link.member.incarnation === incarnation &&
      link.checksum !== this.options.checksum()
    );
  }

  /** The link to a member of the ring. */
  get(id: string): Outbound | undefined {
    return this.outbound.get(id);
  }

  /** The same, or to a member that has left the ring and is still there. */
  reach(id: string): Outbound | undefined {
    return this.outbound.get(id) ?? this.departing.get(id);
  }

  /** The link to a start of a node. */
  ofIncarnation(incarnation: string): Outbound | undefined {
    for (const link of this.links()) if (link.member.incarnation === incarnation) return link;
    return undefined;
  }

  /** Whether some peer takes less than it is given: whoever produces should pause. */
  get congested(): boolean {
    return this.relief !== undefined;
  }

  /** Links that are open, of all that there should be. */
  counts(): { readonly open: number; readonly wanted: number } {
    let open = 0;
    for (const link of this.outbound.values()) if (link.open) open++;
    return { open, wanted: this.outbound.size };
  }

  /** A peer dials: an upgrade of the internal listener. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // nobody serves it before the start and after the stop: it would be heard, and not answered
    if (!this.user) return refuse(socket, 503);
    const { self, cluster, keys } = this.options;
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const nonce = request.headers['x-ringway-nonce'];
    const verified = token
      ? verifyClusterToken(keys, token, {
          now: Date.now(),
          issuer: cluster,
          audience: self.id,
          scopes: ['peer'],
        })
      : undefined;
    if (!verified?.ok || typeof nonce !== 'string' || nonce.length < 16 || nonce.length > 128) {
      this.options.onRefused(verified && !verified.ok ? verified.reason : 'unauthenticated', 'unknown');
      refuse(socket, 401);
      return;
    }
    const nodeId = verified.claims.sub;
    const incarnation = String(request.headers[INCARNATION_HEADER] ?? '');
    const named = Number(request.headers[TIMEOUT_HEADER]);
    const silentMs = named > 0 ? Math.min(named, MAX_TIMEOUT_MS) : this.options.linkTimeoutMs;
    this.server.handleUpgrade(request, socket, head, (ws) => {
      // a node dials once: it has given up the link that it had, even where no sign of that has come
      for (const before of [...this.inbound])
        if (before.nodeId === nodeId && before.incarnation === incarnation) before.close();
      const link = new Inbound(nodeId, incarnation, ws, socket, {
        checksum: this.options.checksum,
        awake: this.options.awake,
        now: this.options.now,
        silentMs,
        maxWaitingBytes: this.options.maxWaitingBytes,
        maxFrameBytes: this.options.maxFrameBytes,
        onRecord: (from, record) => this.request(from, record),
        onChecksum: (checksum) => {
          const own = this.reach(nodeId);
          if (own?.open && own.member.incarnation === incarnation) this.told(own, checksum);
          this.compare(checksum);
        },
        onDown: (gone) => {
          this.inbound.delete(gone);
          this.user?.onHolderDown(gone);
        },
        refused: this.options.onRefused,
      });
      this.inbound.add(link);
      link.greet(self.id, self.incarnation, this.signer.sign(proofText(nonce, self.id, self.incarnation)));
    });
  }

  /** Looks again soon, until no link is congested any more. */
  private watchRelief(): void {
    this.relief ??= setTimeout(() => {
      this.relief = undefined;
      for (const link of this.links()) if (link.congested) return this.watchRelief();
      this.user?.onRelief();
    }, RELIEF_MS);
  }

  private request(from: Inbound, record: PeerRecord): void {
    if ('control' in record && record.control.t === 'heartbeat') {
      const news = this.hearing.reported(from.nodeId, record.control.unheard);
      if (record.control.echo) {
        from.send(encodeControl({ t: 'heartbeat', unheard: this.hearing.unheard(), echo: false }));
      }
      if (news) this.settle();
    } else if (!('control' in record) || !this.parties.some((party) => party.onRequest(from, record.control)))
      this.user?.onRequest(from, record);
  }

  /** Those to members, and to those that have left. */
  *links(): Iterable<Outbound> {
    yield* this.outbound.values();
    yield* this.departing.values();
  }

  private beat(): void {
    for (const link of [...this.links()]) link.checkAlive();
    for (const link of [...this.inbound]) link.checkAlive();
    const unheard = this.hearing.unheard();
    for (const link of this.links()) link.heartbeat(unheard, this.options.linkTimeoutMs / 3);
    // on the links that the others have dialled too, so that they need not ask: a beat wakes a peer once, and nobody else
    const record = encodeControl({ t: 'heartbeat', unheard, echo: false });
    for (const link of this.inbound) link.send(record);
    this.settle();
  }

  /** A link came or went: said to everyone at once, so that all come to the same view within a round trip. */
  private changed(id: string, hears: boolean): void {
    this.hearing.heard(id, hears);
    const unheard = this.hearing.unheard();
    for (const link of this.outbound.values()) link.heartbeat(unheard, 0);
    this.settle();
  }

  private settle(): void {
    if (this.hearing.settle()) this.user?.onHearing();
  }

  /** A peer says which ring it sees. */
  private told(link: Outbound, checksum: string): void {
    if (link.checksum === checksum) return;
    link.checksum = checksum;
    this.settle();
    this.user?.onRingTold();
  }

  private compare(checksum: string): void {
    if (checksum !== this.options.checksum()) this.options.onMismatch(checksum);
  }

  private outboundContext(): ConstructorParameters<typeof Outbound>[1] {
    const { options } = this;
    return {
      nonce: options.nonce,
      dial: (member, nonce) => this.dial(member, nonce),
      proves: (hello, nonce) =>
        this.signer.verify(proofText(nonce, hello.nodeId, hello.incarnation), hello.proof),
      checksum: options.checksum,
      awake: options.awake,
      now: options.now,
      timeoutMs: options.linkTimeoutMs,
      highWaterBytes: options.highWaterBytes,
      maxWaitingBytes: options.maxWaitingBytes,
      onOpen: (link) => {
        this.changed(link.member.id, true);
        this.user?.onLinkOpen(link);
        for (const party of this.parties) party.onLinkOpen(link);
      },
      onDown: (link) => {
        // a link that was let go speaks no longer for the member: a later start of it may have a link of its own
        if (this.outbound.get(link.member.id) === link) this.changed(link.member.id, false);
        else if (this.departing.get(link.member.id) === link) {
          this.departing.delete(link.member.id);
          void link.stop();
        }
        this.user?.onLinkDown(link);
        for (const party of this.parties) party.onLinkDown(link);
      },
      onRecord: (link, record) => {
        if ('control' in record && record.control.t === 'heartbeat') {
          if (this.hearing.reported(link.member.id, record.control.unheard)) this.settle();
        } else if (
          !('control' in record) ||
          !this.parties.some((party) => party.onReply(link, record.control))
        )
          this.user?.onReply(link, record);
      },
      onChecksum: (link, checksum) => {
        this.told(link, checksum);
        this.compare(checksum);
      },
      onCongested: () => this.watchRelief(),
      refused: (reason, member) => options.onRefused(reason, member.id),
    };
  }

  private dial(member: Member, nonce: string): SocketLike {
    const { self, cluster, keys, ca, maxFrameBytes, linkTimeoutMs, connect } = this.options;
    const token = mintClusterToken(keys, {
      iss: cluster,
      sub: self.id,
      aud: member.id,
      scope: 'peer',
      ttlSeconds: 10,
    });
    const url = `${member.internalUrl.replace(/^http/, 'ws')}${HTTP.peer}`;
    const headers = {
      authorization: `Bearer ${token}`,
      'x-ringway-nonce': nonce,
      [INCARNATION_HEADER]: self.incarnation,
      [TIMEOUT_HEADER]: String(linkTimeoutMs),
    };
    if (connect) return connect(url, headers);
    const socket = new WebSocket(url, {
      headers,
      perMessageDeflate: false,
      generateMask: noMask,
      maxPayload: maxFrameBytes,
      ...(ca === undefined ? {} : { ca }),
    });
    return new PeerSocket(socket, maxFrameBytes);
  }
}

function sameStart(a: Member, b: Member): boolean {
  return a.incarnation === b.incarnation && a.internalUrl === b.internalUrl;
}

function proofText(nonce: string, nodeId: string, incarnation: string): string {
  return `${nonce}\n${nodeId}\n${incarnation}`;
}
