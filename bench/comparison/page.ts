import { ring } from '../peers/ringway.ts';
import type { RelayRow } from '../relay.ts';
import { digits, spreadText } from '../support/table.ts';
import { routerTargets } from '../targets.ts';
import { FULL, GROUP_PACED, PACED } from '../workloads.ts';
import type { Results } from './results.ts';
import { Figures } from './schemes.ts';

type Cells = readonly (readonly string[])[];

/** What a page has from the run, by the name that it calls it by. */
const blocks: Readonly<Record<string, (results: Results, figures: Figures) => string>> = {
  run: runText,
  short: (_, figures) => markdownTable(shortTable(figures)),
  cpu: (_, figures) => markdownTable(cpuTable(figures)),
  traffic: (_, figures) => markdownTable(trafficTable(figures)),
  latency: (_, figures) => markdownTable(latencyTable(figures)),
  group: (_, figures) => markdownTable(groupTable(figures)),
  counts: (_, figures) => markdownTable(countsTable(figures)),
  aims: ({ rows }) => markdownTable(aimsTable(rows)),
};

/**
 * The page with what it has from the run written anew: what stands between `<!-- results: NAME -->` and `<!-- end -->`.
 * Throws for a name that there is none of.
 */
export function withResults(page: string, results: Results): string {
  const figures = new Figures(results);
  return page.replaceAll(
    /(<!-- results: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      const block = blocks[name];
      if (!block) throw new Error(`results: ${name}: expected one of ${Object.keys(blocks).join(', ')}`);
      return `${begin}${block(results, figures)}\n${end}`;
    },
  );
}

function runText({ date, rounds, note, machine, versions, warmUpMs, measureMs }: Results): string {
  const seconds = (ms: number): string => `${ms / 1000} s`;
  const of = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `One run of ${date}, ${rounds === 1 ? 'one round' : `the median of ${rounds} rounds, least and most in brackets`}; ` +
      `${seconds(measureMs)} measured behind ${seconds(warmUpMs)} of warm-up; a machine of ${machine.cores} cores; ${of.join(', ')}.`,
    ...(note === undefined ? [] : ['', `**${note}**`]),
  ].join('\n');
}

const overNodes = (figures: Figures): string[] => figures.nodes.map((nodes) => `${nodes} nodes`);

/** Costs as multiples of the ring's. */
function shortTable(figures: Figures): Cells {
  const heads = [FULL, PACED].flatMap((load) => overNodes(figures).map((nodes) => `${load}, ${nodes}`));
  const base = { peer: ring.name, colour: 'blue' } as const;
  return [
    ['CPU of a one-to-one message, times the ring’s', ...heads],
    ...figures.schemes.map((scheme) => [
      scheme.peer,
      ...[FULL, PACED].flatMap((load) => {
        const ours = figures.oneToOne(base, load);
        return figures.oneToOne(scheme, load).map((row, index) => {
          const beside = ours[index];
          return row && beside ? digits(row.cpu.median / beside.cpu.median) : '-';
        });
      }),
    ]),
  ];
}

function cpuTable(figures: Figures): Cells {
  const heads = [FULL, PACED].flatMap((load) => overNodes(figures).map((nodes) => `${load}, ${nodes}`));
  return [
    ['CPU us a message', ...heads],
    ...figures.schemes.map((scheme) => [
      scheme.peer,
      ...[FULL, PACED].flatMap((load) =>
        figures.oneToOne(scheme, load).map((row) => (row ? spreadText(row.cpu) : '-')),
      ),
    ]),
  ];
}

function trafficTable(figures: Figures): Cells {
  const cell = (row: RelayRow | undefined): string =>
    row
      ? [row.frames ? digits(row.frames.median) : '0', whole(row.bytes.between), whole(row.bytes.redis)].join(
          ' / ',
        )
      : '-';
  return [
    ['frames / bytes between nodes / bytes by Redis, a message', ...overNodes(figures)],
    ...figures.schemes.map((scheme) => [scheme.peer, ...figures.oneToOne(scheme, FULL).map(cell)]),
  ];
}

function latencyTable(figures: Figures): Cells {
  return [
    [`p50 / p99 ms at ${PACED} (core in use)`, ...overNodes(figures)],
    ...figures.schemes.map((scheme) => [
      scheme.peer,
      ...figures.oneToOne(scheme, PACED).map((row) => (row ? `${latencyText(row)} (${percent(row)})` : '-')),
    ]),
  ];
}

function groupTable(figures: Figures): Cells {
  return [
    [
      figures.group?.workload ?? 'group',
      `CPU us a delivery, ${FULL}`,
      `at ${GROUP_PACED}`,
      `p50 / p99 ms at ${GROUP_PACED}`,
      'frames a message',
      'bytes between nodes',
      'bytes by Redis',
    ],
    ...figures.schemes.map((scheme) => {
      const [full, paced] = [figures.ofGroup(scheme, FULL), figures.ofGroup(scheme, GROUP_PACED)];
      return [
        scheme.peer,
        full ? spreadText(full.cpu) : '-',
        paced ? spreadText(paced.cpu) : '-',
        paced ? latencyText(paced) : '-',
        full ? (full.frames ? digits(full.frames.median) : '0') : '-',
        full ? whole(full.bytes.between) : '-',
        full ? whole(full.bytes.redis) : '-',
      ];
    }),
  ];
}

function countsTable(figures: Figures): Cells {
  const kinds = ['sent', 'delivered', 'lost', 'doubled', 'disordered'] as const;
  return [
    ['', 'messages sent', 'delivered', ...kinds.slice(2)],
    ...figures.schemes.map((scheme) => {
      const rows = figures.all(scheme);
      return [
        scheme.peer,
        ...kinds.map((kind) => rows.reduce((sum, row) => sum + row[kind], 0).toLocaleString('en')),
      ];
    }),
  ];
}

function aimsTable(rows: readonly RelayRow[]): Cells {
  return [
    ['aim (beside whom)', 'measured', 'beside', 'target', ''],
    ...routerTargets(rows).map(({ name, measured, beside, target, ok }) => [
      name,
      digits(measured),
      digits(beside),
      target,
      ok ? 'met' : '**missed**',
    ]),
  ];
}

function latencyText({ latency }: RelayRow): string {
  return latency ? `${digits(latency.p50.median)} / ${digits(latency.p99.median)}` : '-';
}

function percent({ busy }: RelayRow): string {
  return `${Math.round(busy.median * 100)} %`;
}

function whole({ median }: { readonly median: number }): string {
  return String(Math.round(median));
}

/** Names to the left, numbers to the right. */
function markdownTable([head = [], ...rows]: Cells): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join(
    '\n',
  );
}
