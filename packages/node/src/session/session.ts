import type { Duplex } from 'node:stream';
import { type Capabilities, CLOSE, type CloseName, type Position } from '@ringway/protocol';
import type { WebSocket } from 'ws';
import type { LocalChannel } from '../hub/local-channel.ts';
import type { Turns } from '../turns.ts';
import { PING_FRAME, welcomeFrame } from './frames.ts';
import type { SessionHost } from './host.ts';
import { Rate } from './rate.ts';

/** `joining`: the home does not know yet; `open`: welcomed; `closed`: nothing is sent or read any more. */
export type SessionState = 'joining' | 'open' | 'closed';

/**
 * One client connection. Thousands of these stand idle, so it holds little: no closures, no timers, no sets before they
 * are needed.
 */
export class Session {
  readonly id: string;
  readonly userId: string;
  /** When it began, here or on the node that it has moved from; milliseconds since the epoch. */
  readonly since: number;
  /** What the session publishes as, `"user:<id>"`, as a JSON string on the wire. */
  readonly from: string;
  cap: Capabilities;
  /** When the right to the session ends, in seconds since the epoch; Infinity when it does not. */
  expiresAt: number;
  state: SessionState = 'joining';
  /** What was subscribed: the session's own channel first. */
  channels: LocalChannel[] = [];
  /** Groups that a backend has put the user in, and that this session has left. */
  declined: Set<string> | undefined;
  /** Tick of the ping wheel at which the client was last heard. */
  heardTick: number;
  /** Slot of the ping wheel. */
  pingSlot = 0;
  /** Second since the epoch at which the expiry looks at the session; 0 when it does not. */
  dueAt = 0;
  private rate: Rate | undefined;
  /** Publish frames that were refused in a row for their rate. */
  refused = 0;
  /** Channels that this session reads from the log just now: their live messages reach it that way. */
  replaying: Map<LocalChannel, number> | undefined;
  /** Of those, whose turn it is to read. */
  pageTurns: Turns | undefined;
  /** Channels of presence of which it is being asked how things stand. */
  asking: Set<LocalChannel> | undefined;
  readonly host: SessionHost;
  private readonly socket: WebSocket;
  private readonly stream: Duplex;
  private outbox = '';

  constructor(
    host: SessionHost,
    socket: WebSocket,
    stream: Duplex,
    right: {
      readonly id: string;
      readonly userId: string;
      readonly from: string;
      readonly cap: Capabilities;
      readonly expiresAt: number;
      /** Milliseconds since the epoch, where it has begun elsewhere. */
      readonly since?: number | undefined;
    },
  ) {
    this.host = host;
    this.socket = socket;
    this.stream = stream;
    this.id = right.id;
    this.userId = right.userId;
    this.from = right.from;
    this.cap = right.cap;
    this.expiresAt = right.expiresAt;
    this.since = right.since ?? host.wallClock();
    this.heardTick = host.tick();
  }

  /** Takes one publish from the session's rate: 0, or the milliseconds to wait. */
  takePublish(): number {
    const { limits, now } = this.host;
    this.rate ??= new Rate(limits.publishesPerSecond, now());
    return this.rate.take(limits.publishesPerSecond, now());
  }

  /** The frame is sent at the end of this turn of the event loop. */
  send(text: string): void {
    if (this.state === 'closed') return;
    if (this.outbox === '') this.host.flusher.add(this);
    this.outbox += text;
  }

  /**
   * A message of a subscribed channel; `since` is where the session was before it, on one that can be read again. A client
   * that takes too little leaves the live stream: it is given the channel from the log, as its socket drains.
   */
  deliver(channel: LocalChannel, text: string, since: Position | undefined): void {
    if (this.replaying?.has(channel)) return;
    if (since && this.waitingBytes > this.host.lagBytes) this.host.lags(this, channel, since);
    else this.send(text);
  }

  welcome(channel: LocalChannel, position: Position): void {
    this.state = 'open';
    this.send(welcomeFrame(this.host, this, channel.name, position));
  }

  ping(): void {
    if (this.state === 'open') this.send(PING_FRAME);
  }

  heard(): void {
    this.heardTick = this.host.tick();
  }

  /** A text frame came in. */
  received(bytes: Buffer, start: number, end: number): void {
    this.host.received(this, bytes, start, end);
  }

  /** Bytes that the client has not taken yet. */
  get waitingBytes(): number {
    return this.stream.writableLength + this.outbox.length;
  }

  /** Reads no more frames from this client until {@link resume}: what it sends waits in the network, and with it. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (this.state !== 'closed' && this.socket.isPaused) this.socket.resume();
  }

  flush(): void {
    const { outbox } = this;
    if (outbox === '') return;
    this.outbox = '';
    // the stream below the WebSocket: what stands in the outbox is framed, and no other frame is ever written in parts
    this.stream.write(outbox, 'latin1');
    if (this.stream.writableLength > this.host.maxWaitingBytes && this.state !== 'closed') {
      this.host.close(this, 'slow_consumer');
    }
  }

  /** Says why, and ends the connection. Called by the host, which forgets the session. */
  end(name: CloseName): void {
    // before the last write: one that is too much for the client must not end the session once more
    this.state = 'closed';
    this.flush();
    const { code } = CLOSE[name];
    this.socket.resume();
    this.socket.close(code, name);
    if (name === 'slow_consumer' || name === 'ping_timeout') {
      // nobody is there to answer a goodbye
      const { socket } = this;
      setTimeout(() => socket.terminate(), 1_000).unref();
    }
  }

  /** The connection is gone. */
  ended(): void {
    this.state = 'closed';
    this.outbox = '';
  }
}
