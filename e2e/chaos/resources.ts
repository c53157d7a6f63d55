import { readdirSync, readFileSync } from 'node:fs';
import type { ClusterProcess } from '@ringway/testkit';
import type { Holding } from './record.ts';
import type { World } from './world.ts';

/** What a process holds, less what it holds for the sessions and peers that it has now. */
interface Measure {
  readonly pid: number;
  readonly files: number;
  readonly megabytes: number;
  readonly tasks: number;
  /** Bytes that clients have not taken. */
  readonly unsent: number;
}

export type Measures = ReadonlyMap<string, Measure>;

/** Sockets of probes, of keep-alive and of links that are being made anew come and go. */
const FILES = 24;
const MEGABYTES = 192;
const TASKS = 4;
const UNSENT_BYTES = 64 * 1024;

/** Looks at every process of the command that runs. */
export async function measure({ processes }: World): Promise<Measures> {
  const entries = await Promise.all(
    processes.map(async (process): Promise<[string, Measure]> => [process.id, await measureOne(process)]),
  );
  return new Map(entries);
}

/**
 * What has grown. A process that was started in between is held against the largest of its kind at the beginning: the
 * start of a node costs what it costs.
 */
export function growth(before: Measures, after: Measures): Holding[] {
  const holdings: Holding[] = [];
  for (const [process, now] of after) {
    const kind = process.replace(/-\d+$/, '');
    const kin = [...before].filter(([id]) => id.startsWith(kind)).map(([, measured]) => measured);
    const most = (read: (measured: Measure) => number): number => Math.max(...kin.map(read));
    const add = (what: string, read: (measured: Measure) => number, allowance: number): void => {
      holdings.push({ process, what, before: most(read), after: read(now), allowance });
    };
    add('files', ({ files }) => files, FILES);
    add('MB', ({ megabytes }) => megabytes, MEGABYTES);
    add('threads', ({ tasks }) => tasks, TASKS);
    add('unsent bytes', ({ unsent }) => unsent, UNSENT_BYTES);
  }
  return holdings;
}

async function measureOne(process: ClusterProcess): Promise<Measure> {
  const { pid } = process.process;
  const node = process.id.startsWith('node');
  const sessions = node ? await process.metric('ringway_sessions') : 0;
  // a link of one's own to each peer, and one of the peer's
  const links = node ? 2 * (await process.metric('ringway_peer_links')) : 0;
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return {
    pid,
    files: readdirSync(`/proc/${pid}/fd`).length - sessions - links,
    megabytes: Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024),
    tasks: readdirSync(`/proc/${pid}/task`).length,
    unsent: node ? await process.metric('ringway_send_buffer_bytes') : 0,
  };
}
