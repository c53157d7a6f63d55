import type { Spread } from '../support/stats.ts';
import { type Axis, linearAxis, logAxis } from './axis.ts';
import { type Colour, element, label, sheet } from './svg.ts';

/** One bar. */
export interface Bar {
  /** Where it begins; 0 by default. */
  readonly from?: number;
  readonly to: Spread;
  /** What is written at its end. */
  readonly said: string;
}

/** Bars that belong together: one for each name of the chart's series; undefined where none was measured. */
export interface BarGroup {
  readonly name: string;
  readonly colour: Colour;
  readonly bars: readonly (Bar | undefined)[];
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  /** What the numbers are, with their unit: stands below their axis. */
  readonly unit: string;
  readonly series: readonly string[];
  readonly groups: readonly BarGroup[];
  /** By powers; needs `from` at every bar. */
  readonly log?: boolean;
}

const WIDTH = 800;
const [LEFT, RIGHT, TOP] = [250, 680, 86];
const [BAR, BAR_GAP, GROUP_GAP] = [14, 3, 14];

/** Bars from left to right, in groups below each other; a thin bar over the end of one is the least and the most of the rounds. */
export function barChart({ title, subtitle, unit, series, groups, log = false }: BarChart): string {
  const bars = groups.flatMap((group) => group.bars.filter((bar) => bar !== undefined));
  const greatest = Math.max(...bars.map(({ to }) => to.max));
  const axis = log
    ? logAxis(Math.min(...bars.map(({ from, to }) => from ?? to.min)), greatest, LEFT, RIGHT)
    : linearAxis(greatest, LEFT, RIGHT);
  const groupHeight = series.length * (BAR + BAR_GAP) - BAR_GAP;
  const bottom = TOP + groups.length * (groupHeight + GROUP_GAP);
  const marks = [
    ...axis.ticks.flatMap((tick) => [
      element('line', { class: 'grid', x1: axis.at(tick), x2: axis.at(tick), y1: TOP - 8, y2: bottom }),
      label(axis.at(tick), bottom + 18, String(tick), { class: 'quiet', 'text-anchor': 'middle' }),
    ]),
    label((LEFT + RIGHT) / 2, bottom + 40, unit, { class: 'quiet', 'text-anchor': 'middle' }),
    ...groups.flatMap((group, index) => {
      const top = TOP + index * (groupHeight + GROUP_GAP);
      return [
        label(20, top + groupHeight / 2 + 4, group.name, { class: `${group.colour}-fill` }),
        ...group.bars.flatMap((bar, place) =>
          bar ? barMarks(bar, group.colour, series[place] ?? '', top + place * (BAR + BAR_GAP), axis) : [],
        ),
      ];
    }),
  ];
  const description = `${unit}. ${groups
    .map(({ name, bars: own }) => {
      const said = own.map((bar, place) => `${series[place]}: ${bar?.said ?? 'none'}`);
      return `${name}, ${said.join(', ')}.`;
    })
    .join(' ')}`;
  return sheet({ width: WIDTH, height: bottom + 56, title, subtitle, description }, marks);
}

function barMarks({ from, to, said }: Bar, colour: Colour, name: string, top: number, axis: Axis): string[] {
  const begin = from === undefined ? LEFT : axis.at(from);
  const end = axis.at(to.median);
  const middle = top + BAR / 2;
  const spread =
    to.min === to.max
      ? []
      : [
          element('path', {
            class: 'line ink',
            d: whisker(axis.at(to.min), axis.at(to.max), top),
          }),
        ];
  return [
    label(LEFT - 8, middle + 4, name, { class: 'quiet', 'text-anchor': 'end' }),
    element('rect', {
      class: `${colour}-fill`,
      opacity: 0.85,
      x: begin,
      y: top,
      width: Math.max(1, end - begin),
      height: BAR,
      rx: 2,
    }),
    ...spread,
    label(axis.at(to.max) + 6, middle + 4, said),
  ];
}

/** A lying bar with a foot at each end. */
function whisker(from: number, to: number, top: number): string {
  const [a, b, high] = [from.toFixed(1), to.toFixed(1), BAR - 6];
  return `M${a} ${top + 3}v${high}M${b} ${top + 3}v${high}M${a} ${top + BAR / 2}H${b}`;
}
