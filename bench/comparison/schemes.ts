import type { Colour } from '../chart/svg.ts';
import { bareWs } from '../peers/bare-ws.ts';
import { bound } from '../peers/bound.ts';
import { broadcast, directory, ring, ringRedis } from '../peers/ringway.ts';
import { socketIo, socketIoSharded, socketIoStreams } from '../peers/socket-io.ts';
import type { RelayRow } from '../relay.ts';
import { oneToOne } from '../workloads.ts';
import type { Results } from './results.ts';

/** One of those who are compared, as charts show it. */
export interface Scheme {
  /** Name of its peer. */
  readonly peer: string;
  readonly colour: Colour;
  /** Not one of them, but a measure for them. */
  readonly reference?: true;
  readonly dashed?: true;
}

export const schemes: readonly Scheme[] = [
  { peer: ring.name, colour: 'blue' },
  { peer: directory.name, colour: 'sky' },
  { peer: broadcast.name, colour: 'violet' },
  { peer: ringRedis.name, colour: 'blue', dashed: true },
  { peer: socketIo.name, colour: 'orange' },
  { peer: socketIoSharded.name, colour: 'gold' },
  { peer: socketIoStreams.name, colour: 'pink' },
  { peer: bareWs.name, colour: 'grey', dashed: true, reference: true },
  { peer: bound.name, colour: 'grey', reference: true },
];

/** The rows of a run, by what they are of. */
export class Figures {
  readonly #rows: readonly RelayRow[];
  /** Numbers of nodes of one-to-one messages. */
  readonly nodes: readonly number[];
  /** Name of the group's workload, and its nodes; absent when none was measured. */
  readonly group: { readonly workload: string; readonly nodes: number } | undefined;
  /** Those that were measured, in their order. */
  readonly schemes: readonly Scheme[];

  constructor({ rows }: Results) {
    this.#rows = rows;
    this.nodes = [...new Set(rows.map(({ nodes }) => nodes))].sort((a, b) => a - b);
    this.group = rows.find(({ workload }) => workload !== oneToOne.name);
    this.schemes = schemes.filter(({ peer }) => rows.some((row) => row.peer === peer));
  }

  oneToOne({ peer }: Scheme, load: string): (RelayRow | undefined)[] {
    return this.nodes.map((nodes) => this.#find(peer, oneToOne.name, nodes, load));
  }

  ofGroup({ peer }: Scheme, load: string): RelayRow | undefined {
    return this.group && this.#find(peer, this.group.workload, this.group.nodes, load);
  }

  all({ peer }: Scheme): RelayRow[] {
    return this.#rows.filter((row) => row.peer === peer);
  }

  #find(peer: string, workload: string, nodes: number, load: string): RelayRow | undefined {
    return this.#rows.find(
      (row) => row.peer === peer && row.workload === workload && row.nodes === nodes && row.load === load,
    );
  }
}
