import type { Lookup, SpeechName } from '../peers/peer.ts';

/** A client that is to be connected. */
export interface Caller {
  /** Its name, for a speech in which it must say that. */
  readonly user?: string;
  /** Where to open the socket; absent: asked for by `lookup`. */
  readonly url?: string;
  /** Value of the `authorization` header of the lookup. */
  readonly authorization?: string;
  /** A group to be in. */
  readonly group?: string;
}

/** Opens clients, at most `atOnce` at a time on their way. */
export interface ConnectJob {
  readonly job: 'connect';
  readonly speech: SpeechName;
  readonly callers: readonly Caller[];
  readonly lookup?: Lookup;
  readonly atOnce: number;
  /** Who sends to whom. */
  readonly routes: readonly Route[];
}

/** One who sends, by place among the callers. */
export type Route =
  /** To the user of that name. */
  | { readonly from: number; readonly user: string }
  /** To the group of that name, of which these are the members that it reaches. */
  | { readonly from: number; readonly group: string; readonly members: readonly number[] };

/** Sends for a while, counts all and measures the middle of it. */
export interface SendJob {
  readonly job: 'send';
  /** Messages that each sender has under way (full load), or messages a second of all senders together. */
  readonly load: { readonly window: number } | { readonly perSecond: number };
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Whose run time is measured. */
  readonly pids: readonly number[];
}

export type Job = ConnectJob | SendJob | { readonly job: 'end' };

export interface ConnectResult {
  readonly connected: number;
  readonly ms: number;
}

export interface SendResult {
  /** Messages since the clients were connected: warm-ups and earlier runs included. */
  readonly sent: number;
  /** One message is one delivery for each of its receivers; so are what is lost, doubled and disordered. */
  readonly delivered: number;
  readonly lost: number;
  readonly doubled: number;
  /** Delivered behind one that was sent later. */
  readonly disordered: number;
  readonly answered: number;
  /** Of the measured part. */
  readonly measured: {
    readonly delivered: number;
    readonly ms: number;
    readonly cpuMicros: number;
    readonly loadCpuMicros: number;
  };
  /** Milliseconds from send to delivery, of the measured part; absent at full load, where it is the window's length. */
  readonly latency?: { readonly p50: number; readonly p99: number };
}

export type Answer = { readonly result: ConnectResult | SendResult } | { readonly error: string };
