import type { SocketLike } from '@ringway/link';
import type { Member } from '@ringway/membership';
import { buildRing, type Ring } from '@ringway/ring';
import { hmacSigner } from '@ringway/service';
import { MemoryLog } from '../../src/log/memory.ts';
import type { Log } from '../../src/log/port.ts';
import { Tenures } from '../../src/log/tenures.ts';
import { Peers } from '../../src/peers/peers.ts';
import {
  batchHeader,
  type Control,
  decodeBatch,
  encodeAnswer,
  encodeControl,
  KIND,
  type ListRecord,
  type PublishRecord,
} from '../../src/peers/wire.ts';
import type { LocalChannels } from '../../src/router/port.ts';
import { RingRouter } from '../../src/router/ring-router.ts';
import { clusterKeys } from './cluster.ts';

/** How long the router waits for a home, in milliseconds. */
export const HOME_TIMEOUT = 2_000;

/** A publish or a list that came to a peer and is not placed; most want an answer then. */
export interface Asked {
  readonly socket: ScriptedSocket;
  readonly record: PublishRecord | ListRecord;
}

export function member(id: string): Member {
  return {
    id,
    incarnation: `${id}-i1`,
    publicUrl: 'ws://127.0.0.1:1',
    internalUrl: `http://${id}.invalid`,
    weight: 0.05,
    ringFormat: 1,
    protocol: { min: 1, max: 1 },
  };
}

/** The end of a link that the node under test dialled: opens, greets, and then does what the test says. */
export class ScriptedSocket implements SocketLike {
  binaryType = 'nodebuffer';
  readyState = 0;
  readonly bufferedAmount = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly peer: ScriptedPeer;

  constructor(peer: ScriptedPeer, nonce: string) {
    this.peer = peer;
    // behind the turn in which it was dialled, so that whoever dialled listens by then
    setTimeout(() => {
      if (peer.broken) return this.end();
      this.readyState = 1;
      this.emit(this.onopen, {});
      const { id, incarnation } = peer.member;
      const proof = hmacSigner(clusterKeys, 'ringway-peer').sign(`${nonce}\n${id}\n${incarnation}`);
      this.say(encodeControl({ t: 'hello', nodeId: id, incarnation, proof }));
    }, 0);
  }

  send(data: string | Uint8Array): void {
    for (const record of decodeBatch(Buffer.from(data as string, 'latin1')).records) {
      if (record.kind === KIND.publish || record.kind === KIND.list) this.peer.take(this, record);
      else if (record.kind === KIND.control && record.control.t === 'heartbeat') this.peer.heartbeat(this);
      else if (record.kind === KIND.control && record.control.t === 'sync')
        this.peer.sync(this, record.control.correlation);
      else if (record.kind === KIND.control) this.peer.controls.push(record.control);
    }
  }

  say(record: string): void {
    if (this.readyState !== 1) return;
    this.emit(this.onmessage, { data: Buffer.from(batchHeader('c') + record, 'latin1') });
  }

  close(): void {
    this.end();
  }

  terminate(): void {
    this.end();
  }

  /** The connection breaks, or is closed by either side. */
  end(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.peer.gone(this);
    this.emit(this.onclose, { code: 1006, reason: '' });
  }

  private emit(handler: ((event: never) => void) | null, event: object): void {
    handler?.(event as never);
  }
}

/** A peer of the node under test. */
export class ScriptedPeer {
  readonly member: Member;
  /** No connection comes about. */
  broken = false;
  /** Whom it says that it does not hear. */
  unheard: string[] = [];
  readonly asked: Asked[] = [];
  /** Who wants to know when all that came before is placed. */
  private readonly syncs: { readonly socket: ScriptedSocket; readonly correlation: number; left: Asked[] }[] =
    [];
  /** What else it was told, heartbeats aside. */
  readonly controls: Control[] = [];
  socket: ScriptedSocket | undefined;
  private readonly watch: PeerWatch;

  constructor(id: string, watch: PeerWatch) {
    this.member = member(id);
    this.watch = watch;
  }

  connect(nonce: string): ScriptedSocket {
    this.socket = new ScriptedSocket(this, nonce);
    return this.socket;
  }

  take(socket: ScriptedSocket, record: PublishRecord | ListRecord): void {
    this.watch.received(this, record);
    this.asked.push({ socket, record });
  }

  sync(socket: ScriptedSocket, correlation: number): void {
    this.syncs.push({ socket, correlation, left: [...this.asked] });
    this.tellSynced();
  }

  private tellSynced(): void {
    for (const sync of this.syncs) sync.left = sync.left.filter((asked) => this.asked.includes(asked));
    while (this.syncs[0]?.left.length === 0) {
      const { socket, correlation } = this.syncs.shift() as { socket: ScriptedSocket; correlation: number };
      socket.say(encodeControl({ t: 'synced', correlation }));
    }
  }

  heartbeat(socket: ScriptedSocket): void {
    queueMicrotask(() => {
      socket.say(encodeControl({ t: 'heartbeat', unheard: this.unheard, echo: false }));
    });
  }

  /** Places the oldest that is open, or refuses it, and answers where an answer is wanted. */
  answer(how: 'published' | 'unavailable'): void {
    const asked = this.asked.shift();
    if (!asked) return;
    const { record, socket } = asked;
    this.watch.answered(record, how);
    // behind its answer, and in this turn
    queueMicrotask(() => this.tellSynced());
    if (record.correlation === 0) return;
    const position = { epoch: this.member.id, seq: 1 };
    if (record.kind === KIND.list) {
      const outcomes = record.channels.map(() =>
        how === 'published' ? { reached: 1, position } : { code: 'unavailable' as const },
      );
      socket.say(encodeControl({ t: 'listed', correlation: record.correlation, outcomes }));
      return;
    }
    const code = how === 'published' ? undefined : how;
    socket.say(
      encodeAnswer({ correlation: record.correlation, code, duplicate: false, reached: 1, position }),
    );
  }

  break(): void {
    this.socket?.end();
  }

  gone(socket: ScriptedSocket): void {
    for (let i = this.asked.length - 1; i >= 0; i--)
      if (this.asked[i]?.socket === socket) {
        for (const { record } of this.asked.splice(i, 1)) this.watch.lost(record);
      }
    this.tellSynced();
  }
}

export interface PeerWatch {
  received(peer: ScriptedPeer, record: PublishRecord | ListRecord): void;
  answered(record: PublishRecord | ListRecord, how: 'published' | 'unavailable'): void;
  /** It was not placed, and its link is gone. */
  lost(record: PublishRecord | ListRecord): void;
}

/** One real ring router, `node-1`, among peers that do what the test says. Time is the test's. */
export class LoneRouter {
  readonly router: RingRouter;
  readonly peers: readonly ScriptedPeer[];

  constructor(ids: readonly string[], local: LocalChannels, watch: PeerWatch, log?: Log) {
    this.peers = ids.map((id) => new ScriptedPeer(id, watch));
    const now = (): number => Date.now();
    const tenures = new Tenures('i1', now);
    let nonces = 0;
    const links = new Peers({
      self: { id: 'node-1', incarnation: 'i1' },
      cluster: 'ringway',
      keys: clusterKeys,
      linkTimeoutMs: 600,
      highWaterBytes: 1_000_000,
      maxWaitingBytes: 16_000_000,
      maxFrameBytes: 4_000_000,
      checksum: () => 'c',
      awake: () => true,
      now,
      nonce: () => `nonce-nonce-nonce-${nonces++}`,
      onMismatch: () => {},
      onRefused: () => {},
      connect: (url, headers) => {
        const peer = this.peers.find(({ member: { id } }) => url.includes(`//${id}.`));
        if (!peer) throw new Error(`nobody at ${url}`);
        return peer.connect(headers['x-ringway-nonce'] ?? '');
      },
    });
    this.router = new RingRouter({
      selfId: 'node-1',
      incarnation: 'i1',
      ring: buildRing<Member>([]),
      peers: links,
      log:
        log ??
        new MemoryLog({
          epochs: tenures,
          channelMessages: 1_000,
          totalBytes: 64_000_000,
          retentionMs: 600_000,
          channels: 1_000,
          now,
        }),
      tenures,
      homeTimeoutMs: HOME_TIMEOUT,
      maxWaitingBytes: 16_000_000,
      now,
      awake: () => true,
      presence: { debounceMs: 1_000, maxStreams: 8 },
    });
    void this.router.start(local);
  }

  /** The ring is of these, and of the node itself unless it is left out. */
  setRing(ids: readonly string[], self = true): Ring<Member> {
    const ring = buildRing<Member>([
      ...(self ? [member('node-1')] : []),
      ...this.peers.filter((peer) => ids.includes(peer.member.id)).map((peer) => peer.member),
    ]);
    this.router.setRing(ring);
    return ring;
  }
}
