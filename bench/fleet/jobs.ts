import type { Count } from './ledger.ts';

/** Connects people, at most `atOnce` at a time on their way. */
export interface ArriveJob {
  readonly job: 'arrive';
  readonly kind: 'sdk' | 'socket.io';
  readonly names: readonly string[];
  /** The locator, or the nodes. */
  readonly addresses: readonly string[];
  /** Of the SDK's people, in their order. */
  readonly tokens: readonly string[];
  readonly atOnce: number;
}

/**
 * Begins to talk: so many steady streams, each of one message in `intervalMs`, and `perSecond` messages more that go round
 * among all others.
 */
export interface TalkJob {
  readonly job: 'talk';
  readonly streams: number;
  readonly intervalMs: number;
  readonly perSecond: number;
}

/** A phase begins. At `during`, places and connections are counted from here on. */
export interface PhaseJob {
  readonly job: 'phase';
  readonly phase: Phase;
}

export type Phase = 'before' | 'during' | 'after';

export type Job =
  | ArriveJob
  | TalkJob
  | PhaseJob
  | { readonly job: 'look' }
  /** Ends the talk, waits for what is under way, and tells all. */
  | { readonly job: 'hush'; readonly node: string | undefined };

/** How people stand. */
export interface Look {
  readonly connected: number;
  /** By person: the node that holds it. */
  readonly nodes: readonly string[];
}

export interface PhaseFigures {
  /** Milliseconds from publish to delivery. */
  readonly p50: number;
  readonly p99: number;
  /** Largest gap between two consecutive deliveries of a steady stream, less the usual interval, in milliseconds. */
  readonly silence: number;
  /** The longest that this process itself stood still, in milliseconds: no silence below it tells anything. */
  readonly stall: number;
}

/** What was seen since the talk began. */
export interface Told extends Count {
  readonly phases: Readonly<Record<Phase, PhaseFigures>>;
  /** People whose node is another one than at the beginning of `during`. */
  readonly moved: number;
  /** Connections made since then. */
  readonly stood: number;
  /** People that were seen disconnected by their application since then. */
  readonly away: number;
  /** Milliseconds since the epoch when the last connection of them stood. */
  readonly lastStoodAt: number;
  /** Of the people that the node held at the beginning of `during`: how many, and when they were back, since the epoch. */
  readonly held: number;
  readonly backAt: readonly number[];
}

export type Answer = { readonly result: unknown } | { readonly error: string };
