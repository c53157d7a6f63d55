import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RelayPlan, RelayRow } from '../relay.ts';

/** One run of the comparison, as it is kept. */
export interface Results {
  /** The day. */
  readonly date: string;
  readonly rounds: number;
  /** What must be known to judge it. */
  readonly note?: string;
  readonly machine: { readonly cores: number };
  readonly versions: Readonly<Record<string, string>>;
  readonly warmUpMs: number;
  readonly measureMs: number;
  readonly rows: readonly RelayRow[];
}

export async function resultsOf(
  rows: readonly RelayRow[],
  { rounds, warmUpMs, measureMs }: RelayPlan,
  note?: string,
): Promise<Results> {
  return {
    date: new Date().toISOString().slice(0, 10),
    rounds,
    ...(note !== undefined && { note }),
    machine: { cores: availableParallelism() },
    versions: await versions(),
    warmUpMs,
    measureMs,
    rows,
  };
}

/** As text for a file: no more digits than were measured. */
export function resultsText(results: Results): string {
  const text = JSON.stringify(
    results,
    (_key, value: unknown) =>
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
    2,
  );
  // a spread on one line
  return `${text.replaceAll(/\{\s+"median": (\S+),\s+"min": (\S+),\s+"max": (\S+)\s+\}/g, '{ "median": $1, "min": $2, "max": $3 }')}\n`;
}

export function readResults(folder: string): Results {
  return JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Results;
}

async function versions(): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)('redis-server', ['--version']);
  const packages = ['socket.io', '@socket.io/redis-adapter', '@socket.io/redis-streams-adapter', 'ws'];
  return {
    'Node.js': process.versions.node,
    Redis: /v=(\S+)/.exec(stdout)?.[1] ?? 'unknown',
    ...Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
  };
}

function versionOf(name: string): string {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    try {
      const text = readFileSync(join(folder, name, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // not in this folder
    }
  }
  return 'unknown';
}
