import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { FrameReader, OPCODE } from '../socket/frame-reader.ts';
import { binaryFrame } from '../socket/framing.ts';
import { Backlog } from './backlog.ts';
import { BatchWriter } from './batch-writer.ts';
import { TurnedBack } from './turned-back.ts';
import { decodeBatch, encodeControl, PeerFormatError, type PeerRecord } from './wire.ts';

/** What an inbound link needs of its surroundings. */
export interface InboundContext {
  checksum(): string;
  /** False when the process has stood still: the link ends, and what it brings is not read. */
  awake(): boolean;
  /** Monotonic clock, milliseconds. */
  now(): number;
  /** The peer gives a link up on which it hears nothing for so long; it makes itself heard three times as often. */
  readonly silentMs: number;
  readonly maxWaitingBytes: number;
  readonly maxFrameBytes: number;
  onRecord(link: Inbound, record: PeerRecord): void;
  onChecksum(checksum: string): void;
  onDown(link: Inbound): void;
  refused(reason: string, nodeId: string): void;
}

/** A link that a peer dialled: its requests come in on it, and answers and deliveries to it go out. */
export class Inbound {
  readonly nodeId: string;
  /** The start of the peer that dialled; empty where it does not say. */
  readonly incarnation: string;
  /** Publications of the peer that have no outcome yet. */
  readonly backlog = new Backlog();
  readonly turnedBack = new TurnedBack();
  private readonly socket: WebSocket;
  private readonly context: InboundContext;
  private readonly writer: BatchWriter;
  private alive = true;
  /** Of the ring that the peer has told last. */
  private checksum = '';
  private heardAt: number;

  constructor(
    nodeId: string,
    incarnation: string,
    socket: WebSocket,
    stream: Duplex,
    context: InboundContext,
  ) {
    this.heardAt = context.now();
    this.nodeId = nodeId;
    this.incarnation = incarnation;
    this.socket = socket;
    this.context = context;
    this.writer = new BatchWriter(
      () => context.checksum(),
      (batch) => {
        if (socket.readyState !== socket.OPEN) return;
        stream.write(binaryFrame(batch), 'latin1');
        // a holder that lags so far leaves the live stream: it comes back by itself and reads on from the log
        if (socket.bufferedAmount > context.maxWaitingBytes) {
          context.refused('the peer does not read', nodeId);
          this.close();
        }
      },
    );
    socket.on('message', (data: Buffer, isBinary) => this.receive(data, isBinary));
    const { maxFrameBytes: maxBytes } = context;
    new FrameReader(stream, socket, this, { opcode: OPCODE.binary, masked: true, maxBytes });
    socket.on('close', () => this.down());
    socket.on('error', () => this.close());
  }

  /** A binary message came in. */
  received(bytes: Buffer, start: number, end: number): void {
    this.receive(bytes.subarray(start, end), true);
  }

  greet(nodeId: string, incarnation: string, proof: string): void {
    this.writer.add(encodeControl({ t: 'hello', nodeId, incarnation, proof }));
    this.writer.flush();
  }

  send(record: string): void {
    if (this.alive) this.writer.add(record);
  }

  /** Answers still reach the peer on this link. */
  get open(): boolean {
    return this.alive;
  }

  /** Ends the link when it was silent for longer than the peer keeps one that is: the peer has vanished without a sign. */
  checkAlive(): void {
    if (this.silent) this.close();
  }

  /** Ends the link at once. */
  close(): void {
    this.down();
    this.socket.terminate();
  }

  flush(): void {
    this.writer.flush();
  }

  private get silent(): boolean {
    return this.context.now() - this.heardAt > this.context.silentMs;
  }

  private down(): void {
    if (!this.alive) return;
    this.alive = false;
    this.writer.clear();
    this.context.onDown(this);
  }

  private receive(data: Buffer, isBinary: boolean): void {
    // what was received behind the end of the link: the peer says it again elsewhere
    if (!this.alive || !this.context.awake()) return;
    // what comes after such a silence was said to a link that the peer has given up since, and has said again elsewhere;
    // so it is when this node was the one that stood still
    if (this.silent) {
      this.context.refused('nothing was heard for too long', this.nodeId);
      this.close();
      return;
    }
    this.heardAt = this.context.now();
    try {
      if (!isBinary) throw new PeerFormatError('a text message');
      const batch = decodeBatch(data);
      if (batch.checksum !== this.checksum) {
        this.checksum = batch.checksum;
        // whom the peer does not hear of that ring: to be known when it counts as one that sees it
        for (const record of batch.records) if (isHeartbeat(record)) this.context.onRecord(this, record);
      }
      this.context.onChecksum(batch.checksum);
      for (const record of batch.records) {
        if (!this.alive) return;
        this.context.onRecord(this, record);
      }
    } catch (error) {
      if (!(error instanceof PeerFormatError)) throw error;
      this.context.refused(error.message, this.nodeId);
      this.close();
    }
  }
}

function isHeartbeat(record: PeerRecord): boolean {
  return 'control' in record && record.control.t === 'heartbeat';
}
