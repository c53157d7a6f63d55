import type { CoreUse } from './core-use.ts';
import type { Told } from './jobs.ts';

/** One change of one fleet under talk, as its clients saw it. */
export interface FleetRow {
  readonly peer: string;
  readonly change: Change;
  readonly clients: number;
  /** Clients whom the change concerned: who moved, or whose node went. */
  readonly concerned: number;
  /** 1/N of the clients, or those whom the node held. */
  readonly ideal: number;
  /** Milliseconds from the change to its end, as `end` says. */
  readonly ms: number;
  /** Milliseconds until that share of the clients concerned were back, where they had been away. */
  readonly back: { readonly half: number; readonly most: number; readonly all: number } | undefined;
  /** By the servers' metrics: moves told. */
  readonly movesSent: number | undefined;
  /** Sessions and sessions a second, where a drain was to take their quotient. */
  readonly rate: number | undefined;
  /** Of the time of the change: how much of its core the load and the servers had, and how much they waited for it. */
  readonly cores: { readonly load: CoreUse; readonly servers: CoreUse };
  readonly told: Told;
}

/** What is done to a fleet. */
export type Change = '3 -> 4' | '4 -> 3' | 'SIGKILL, 1 of 3' | 'SIGTERM, 1 of 3' | 'drain of one node';
