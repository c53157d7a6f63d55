import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RunningPeer } from '../peers/peer.ts';

/** Bytes that have gone from process to process so far: what TCP carries, its own headers not counted. */
export interface Traffic {
  /** Among the nodes, in either direction, as the kernel counts them at each socket. */
  readonly between: number;
  /** Into and out of Redis, as it counts them itself. */
  readonly redis: number;
}

export async function trafficOf({
  holders,
  redis,
}: Pick<RunningPeer, 'holders' | 'redis'>): Promise<Traffic> {
  const [between, throughRedis] = await Promise.all([
    bytesBetween(holders),
    redis?.info('stats').then((stats) => {
      const of = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(stats)?.[1]);
      return of('total_net_input_bytes') + of('total_net_output_bytes');
    }),
  ]);
  return { between, redis: throughRedis ?? 0 };
}

/** Bytes sent on connections whose two ends belong to two of these processes. */
async function bytesBetween(pids: readonly number[]): Promise<number> {
  const args = ['--tcp', '--info', '--numeric', '--processes', '--no-header', '--oneline'];
  const asked = promisify(execFile)('ss', [...args, 'state', 'established'], { maxBuffer: 1 << 26 });
  const { stdout } = await asked.catch((cause: unknown) => {
    throw new Error('ss counts the bytes between nodes: scripts/setup.sh ss brings it', { cause });
  });
  return bytesOf(stdout, pids);
}

/** The same, of the lines that `ss` says. */
function bytesOf(lines: string, pids: readonly number[]): number {
  const sent = new Map<string, number>();
  for (const line of lines.split('\n')) {
    const [, local, peer, rest = ''] = /^\d+\s+\d+\s+(\S+)\s+(\S+)\s+(.*)/.exec(line) ?? [];
    const pid = Number(/pid=(\d+)/.exec(rest)?.[1]);
    if (!local || !peer || !pids.includes(pid)) continue;
    // one end may see the address of the other as IPv6's form of it
    const ends = [local, peer].map((end) => end.replace(/^\[::ffff:(.*)\]/, '$1'));
    sent.set(ends.join(), Number(/\bbytes_sent:(\d+)/.exec(rest)?.[1] ?? 0));
  }
  let sum = 0;
  for (const [ends, bytes] of sent) {
    if (sent.has(ends.split(',').reverse().join())) sum += bytes;
  }
  return sum;
}
