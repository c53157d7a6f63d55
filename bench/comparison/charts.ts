import { barChart } from '../chart/bars.ts';
import { type LineChart, lineChart } from '../chart/lines.ts';
import { bound } from '../peers/bound.ts';
import type { RelayRow } from '../relay.ts';
import type { Spread } from '../support/stats.ts';
import { digits } from '../support/table.ts';
import { FULL, GROUP_PACED, PACED } from '../workloads.ts';
import type { Results } from './results.ts';
import { Figures } from './schemes.ts';

const ONE_TO_ONE = '128 bytes, 64 pairs of users, each across two nodes';
const CPU = 'microseconds of CPU a message, servers and brokers';

/** The charts of a run, by the names of their files. */
export function chartsOf(results: Results): ReadonlyMap<string, string> {
  const figures = new Figures(results);
  const { rounds } = results;
  const reading = `Less is better${rounds === 1 ? '.' : `; thin bars: least and most of ${rounds} rounds.`}`;
  const charts = new Map([
    [
      'cpu-paced.svg',
      overNodes(figures, {
        title: `One-to-one at ${PACED}: CPU of a message`,
        subtitle: `${ONE_TO_ONE}. ${reading}`,
        unit: CPU,
        load: PACED,
        read: ({ cpu }) => cpu,
      }),
    ],
    [
      'cpu-full.svg',
      overNodes(figures, {
        title: `One-to-one at ${FULL}: CPU of a message`,
        subtitle: `${ONE_TO_ONE}. ${reading}`,
        unit: CPU,
        load: FULL,
        read: ({ cpu }) => cpu,
      }),
    ],
    [
      'bytes.svg',
      overNodes(figures, {
        title: `One-to-one at ${FULL}: bytes that a message moves inside`,
        subtitle: `Between nodes, and into and out of Redis, for 128 bytes. ${reading}`,
        unit: 'bytes a message',
        load: FULL,
        read: ({ bytes }) => bytesOf(bytes),
      }),
    ],
    ['latency.svg', latency(figures, reading)],
  ]);
  if (figures.group) charts.set('group.svg', group(figures, reading));
  return charts;
}

/** Both kinds together; the spread of a sum is at most the sum of the spreads. */
function bytesOf({ between, redis }: RelayRow['bytes']): Spread {
  return {
    median: between.median + redis.median,
    min: between.min + redis.min,
    max: between.max + redis.max,
  };
}

interface OverNodes extends Pick<LineChart, 'title' | 'subtitle' | 'unit'> {
  readonly load: string;
  read(row: RelayRow): Spread;
}

function overNodes(figures: Figures, { load, read, ...heads }: OverNodes): string {
  return lineChart({
    ...heads,
    along: 'nodes',
    places: figures.nodes,
    lines: figures.schemes
      // the lower of the two references would lie on the other lines
      .filter(({ peer }) => peer !== bound.name)
      .map((scheme) => ({
        name: scheme.peer,
        colour: scheme.colour,
        dashed: scheme.dashed ?? false,
        values: figures.oneToOne(scheme, load).map((row) => row && read(row)),
      })),
  });
}

function latency(figures: Figures, reading: string): string {
  return barChart({
    title: `One-to-one at ${PACED}: latency`,
    subtitle: `128 bytes; a bar goes from p50 to p99. ${reading}`,
    unit: 'milliseconds from sending to delivery, on a logarithmic scale',
    log: true,
    series: figures.nodes.map((nodes) => `${nodes} nodes`),
    groups: figures.schemes.map((scheme) => ({
      name: scheme.peer,
      colour: scheme.colour,
      bars: figures.oneToOne(scheme, PACED).map(
        (row) =>
          row?.latency && {
            from: row.latency.p50.median,
            to: row.latency.p99,
            said: `${digits(row.latency.p50.median)} – ${digits(row.latency.p99.median)}`,
          },
      ),
    })),
  });
}

function group(figures: Figures, reading: string): string {
  const loads = [FULL, GROUP_PACED];
  return barChart({
    title: `A ${figures.group?.workload} on ${figures.group?.nodes} nodes: CPU of a delivery`,
    subtitle: `128 bytes; a message is one delivery for each member. ${reading}`,
    unit: 'microseconds of CPU a delivery, servers and brokers',
    series: loads,
    groups: figures.schemes.map((scheme) => ({
      name: scheme.peer,
      colour: scheme.colour,
      bars: loads.map((load) => {
        const row = figures.ofGroup(scheme, load);
        return row && { to: row.cpu, said: digits(row.cpu.median) };
      }),
    })),
  });
}
