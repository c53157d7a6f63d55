import type { Flaw } from './check/flaw.ts';
import type { Ledger } from './person.ts';
import type { RunRecord, SessionRecord } from './record.ts';

/** Of each kind of flaw so many are printed. */
const SHOWN = 8;

/** What happened, in numbers, and what was wrong with it. */
export function reportText(run: RunRecord, ledger: Ledger, flaws: readonly Flaw[]): string {
  const { publishes, sessions } = run;
  const outcome = (name: string): number => publishes.filter((publish) => publish.outcome === name).length;
  const sights = sessions.flatMap((session) => session.sights);
  const waits = publishes.flatMap(({ outcome, answeredAt, sentAt }) =>
    outcome === 'confirmed' && answeredAt !== undefined ? [answeredAt - sentAt] : [],
  );
  const away = sessions.flatMap(absences);
  const rows: [string, string | number][] = [
    ['sent', publishes.length],
    ['confirmed', outcome('confirmed')],
    ['  of them refused for the moment first', publishes.filter((publish) => publish.refusedOnce).length],
    ['  answer, p50 / p99 / longest', spread(waits)],
    ['refused', outcome('refused')],
    ['unknown', outcome('unknown')],
    ['delivered', sights.filter(({ kind }) => kind === 'message').length],
    ['doubled', flaws.filter(({ kind }) => kind === 'doubled').length],
    ['lost', flaws.filter(({ kind }) => kind === 'lost').length],
    ['gaps told', sights.filter(({ kind }) => kind === 'gap').length],
    ['times without a connection', away.length],
    ['  p50 / p99 / longest', spread(away)],
    ['longest silence in a group', seconds(Math.max(0, ...sessions.map(longestSilence)))],
    ['moves', ledger.moves],
    ['closes', counts(ledger.closes)],
    ['errors', counts(ledger.errors)],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(42)} ${value}`);
  for (const [kind, found] of Map.groupBy(flaws, (flaw) => flaw.kind)) {
    lines.push('', `${kind}: ${found.length}`);
    for (const { text } of found.slice(0, SHOWN)) lines.push(`  ${text}`);
    if (found.length > SHOWN) lines.push(`  … and ${found.length - SHOWN} more`);
  }
  return lines.join('\n');
}

/** How long it was without a connection, each time, in milliseconds. */
function absences({ sights }: SessionRecord): number[] {
  const found: number[] = [];
  let since: number | undefined;
  for (const sight of sights) {
    if (sight.kind !== 'state') continue;
    if (sight.state === 'connected') {
      if (since !== undefined) found.push(sight.at - since);
      since = undefined;
    } else since ??= sight.at;
  }
  // the first is the coming
  return found.slice(1);
}

/** Longest time between two messages of the same group while it was in it, in milliseconds. */
function longestSilence({ sights }: SessionRecord): number {
  const latest = new Map<string, number>();
  let longest = 0;
  for (const sight of sights) {
    if (sight.kind === 'left') latest.delete(sight.channel);
    if (sight.kind !== 'message' || !sight.channel.startsWith('group:')) continue;
    const before = latest.get(sight.channel);
    if (before !== undefined) longest = Math.max(longest, sight.at - before);
    latest.set(sight.channel, sight.at);
  }
  return longest;
}

function spread(values: readonly number[]): string {
  if (values.length === 0) return '-';
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number): string =>
    seconds(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return `${at(0.5)} / ${at(0.99)} / ${at(1)}`;
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function counts(of: ReadonlyMap<string | number, number>): string {
  return [...of].map(([name, count]) => `${name} x${count}`).join(', ') || '-';
}
