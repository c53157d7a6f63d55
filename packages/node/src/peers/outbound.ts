import { type BackoffPolicy, fullJitter, Link, type SocketLike } from '@ringway/link';
import type { Member } from '@ringway/membership';
import { BatchWriter } from './batch-writer.ts';
import { type Control, decodeBatch, encodeControl, PeerFormatError, type PeerRecord } from './wire.ts';

/** What an outbound link needs of its surroundings. */
export interface OutboundContext {
  /** Opens a WebSocket to the peer's internal listener; `nonce` must come back in the proof. */
  dial(member: Member, nonce: string): SocketLike;
  nonce(): string;
  /** Whether the proof is the cluster key's over this nonce by this start of this node. */
  proves(hello: Extract<Control, { t: 'hello' }>, nonce: string): boolean;
  checksum(): string;
  /** Monotonic clock, milliseconds. */
  now(): number;
  readonly timeoutMs: number;
  /** Bytes waiting above which {@link Outbound.congested} holds. */
  readonly highWaterBytes: number;
  readonly maxWaitingBytes: number;
  onOpen(link: Outbound): void;
  /** The link is gone; what was sent on it and not answered may or may not have arrived. */
  onDown(link: Outbound): void;
  onRecord(link: Outbound, record: PeerRecord): void;
  onChecksum(checksum: string): void;
  onCongested(): void;
  refused(reason: string, member: Member): void;
}

/** Peers are few and near: they are asked again soon. */
const PEER_BACKOFF: BackoffPolicy = fullJitter({ baseMs: 50, capMs: 1_000 });

/** A node's link to one peer, which it dialled: its requests go out on it, and the answers and deliveries come back. */
export class Outbound {
  readonly member: Member;
  private readonly context: OutboundContext;
  private readonly link: Link;
  private readonly writer: BatchWriter;
  private nonce = '';
  private greeted = false;
  private heardAt = 0;
  /** Checksum of the ring that the peer has told last; empty before its first word. */
  checksum = '';

  constructor(member: Member, context: OutboundContext) {
    this.member = member;
    this.context = context;
    this.writer = new BatchWriter(
      () => context.checksum(),
      (batch) => {
        if (!this.link.send(batch)) return;
        // not in this turn: whoever sends is in the middle of it, and what it has just sent is not written down yet
        if (this.link.bufferedAmount > context.maxWaitingBytes) queueMicrotask(this.dropFull);
        else if (this.congested) context.onCongested();
      },
    );
    this.link = new Link({
      dial: () => {
        this.nonce = context.nonce();
        return context.dial(member, this.nonce);
      },
      backoff: PEER_BACKOFF,
      connectTimeoutMs: context.timeoutMs,
      minUptimeMs: 1_000,
      closeGraceMs: 500,
      afterClose: () => {
        this.down();
        return 'backoff';
      },
      onOpen: () => {
        this.heardAt = context.now();
      },
      onMessage: (data) => this.receive(data),
    });
  }

  start(): void {
    this.link.start();
  }

  async stop(): Promise<void> {
    if (this.greeted) this.writer.flush();
    this.down();
    await this.link.stop(1000, 'stopping');
  }

  /** Open, and the peer has proved that it has the cluster key. */
  get open(): boolean {
    return this.greeted;
  }

  /** Whoever produces for this peer should pause: it takes less than it is given. */
  get congested(): boolean {
    return this.link.bufferedAmount > this.context.highWaterBytes;
  }

  /** To be sent at the end of this turn of the loop; false, and nothing is kept, when the link is not open. */
  send(record: string): boolean {
    if (!this.greeted) return false;
    this.writer.add(record);
    return true;
  }

  /**
   * Tells whom this node does not hear. The peer makes itself heard on this link at its own beats; an answer, which would
   * wake both once more, is asked for only when it has not for as long as `quietMs`.
   */
  heartbeat(unheard: readonly string[], quietMs: number): void {
    if (!this.greeted) return;
    const echo = this.context.now() - this.heardAt >= quietMs;
    this.writer.add(encodeControl({ t: 'heartbeat', unheard, echo }));
  }

  /** Gives the link up when nothing was heard for the link timeout; no packet need come back for that. */
  checkAlive(): void {
    if (this.link.state.name !== 'open') return;
    if (this.context.now() - this.heardAt > this.context.timeoutMs)
      this.link.drop('nothing heard from the peer');
  }

  private readonly dropFull = (): void => {
    if (this.link.bufferedAmount > this.context.maxWaitingBytes) this.link.drop('the peer does not read');
  };

  private down(): void {
    this.writer.clear();
    if (!this.greeted) return;
    this.greeted = false;
    this.checksum = '';
    this.context.onDown(this);
  }

  private receive(data: string | Uint8Array): void {
    this.heardAt = this.context.now();
    try {
      if (typeof data === 'string') throw new PeerFormatError('a text message');
      const batch = decodeBatch(asBuffer(data));
      let open = this.greeted;
      for (const record of batch.records) {
        if (this.greeted) this.context.onRecord(this, record);
        // the link has ended within this batch
        else if (open) return;
        else this.greet(record);
        open = true;
      }
      if (!this.greeted) return;
      this.checksum = batch.checksum;
      this.context.onChecksum(batch.checksum);
    } catch (error) {
      if (!(error instanceof PeerFormatError)) throw error;
      this.context.refused(error.message, this.member);
      this.link.drop(error.message);
    }
  }

  private greet(record: PeerRecord): void {
    const hello = 'control' in record && record.control.t === 'hello' ? record.control : undefined;
    if (!hello) throw new PeerFormatError('a peer must greet first');
    if (hello.nodeId !== this.member.id || hello.incarnation !== this.member.incarnation) {
      throw new PeerFormatError(`another node answered: ${hello.nodeId}/${hello.incarnation}`);
    }
    if (!this.context.proves(hello, this.nonce))
      throw new PeerFormatError('the peer does not have the cluster key');
    this.greeted = true;
    this.context.onOpen(this);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
