import type { Spread } from '../support/stats.ts';
import { digits } from '../support/table.ts';
import { apart, linearAxis } from './axis.ts';
import { type Colour, element, label, sheet } from './svg.ts';

/** One line: a value at each place of the axis below; undefined where none was measured. */
export interface Line {
  readonly name: string;
  readonly colour: Colour;
  readonly dashed?: boolean;
  readonly values: readonly (Spread | undefined)[];
}

export interface LineChart {
  readonly title: string;
  readonly subtitle: string;
  /** What the numbers are, with their unit: stands over their axis. */
  readonly unit: string;
  /** What stands below, and the names of its places. */
  readonly along: string;
  readonly places: readonly (string | number)[];
  readonly lines: readonly Line[];
}

const [WIDTH, HEIGHT] = [800, 450];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 550, 100, 394];
/** Between labels of lines. */
const LABEL_GAP = 17;

/** Lines from left to right, each with its name at its end; a bar up and down at a point is the least and the most of the rounds. */
export function lineChart({ title, subtitle, unit, along, places, lines }: LineChart): string {
  const greatest = Math.max(...lines.flatMap(({ values }) => values.map((value) => value?.max ?? 0)));
  const y = linearAxis(greatest, BOTTOM, TOP);
  const inset = 36;
  const x = (index: number): number =>
    LEFT + inset + (index / Math.max(1, places.length - 1)) * (RIGHT - LEFT - 2 * inset);
  const ends = lines.map(({ values }) => y.at(values.findLast((value) => value)?.median ?? 0));
  const labels = apart(ends, LABEL_GAP, TOP, BOTTOM);
  const marks = [
    label(20, TOP - 20, unit, { class: 'quiet' }),
    ...y.ticks.flatMap((tick) => [
      element('line', { class: 'grid', x1: LEFT, x2: RIGHT, y1: y.at(tick), y2: y.at(tick) }),
      label(LEFT - 8, y.at(tick) + 4, String(tick), { class: 'quiet', 'text-anchor': 'end' }),
    ]),
    ...places.map((place, index) =>
      label(x(index), BOTTOM + 20, String(place), { class: 'quiet', 'text-anchor': 'middle' }),
    ),
    label((LEFT + RIGHT) / 2, BOTTOM + 42, along, { class: 'quiet', 'text-anchor': 'middle' }),
    ...lines.flatMap((line, index) => [
      ...lineMarks(line, x, y.at),
      ...labelMarks(line, ends[index] ?? 0, labels[index] ?? 0, x(places.length - 1)),
    ]),
  ];
  const description = `${unit}, at ${places.join(', ')} ${along}. ${lines
    .map(
      ({ name, values }) => `${name}: ${values.map((value) => (value ? said(value) : 'none')).join(', ')}.`,
    )
    .join(' ')}`;
  return sheet({ width: WIDTH, height: HEIGHT, title, subtitle, description }, marks);
}

function lineMarks(
  { colour, dashed, values }: Line,
  x: (index: number) => number,
  y: (value: number) => number,
): string[] {
  const points = values.flatMap((value, index) => (value ? [{ value, at: x(index) }] : []));
  return [
    element('polyline', {
      class: `line ${colour}`,
      'stroke-dasharray': dashed ? '6 4' : undefined,
      points: points.map(({ value, at }) => `${at.toFixed(1)},${y(value.median).toFixed(1)}`).join(' '),
    }),
    ...points.flatMap(({ value, at }) => [
      ...(value.min === value.max
        ? []
        : [element('path', { class: `line ${colour}`, d: whisker(at, y(value.min), y(value.max)) })]),
      element('circle', { class: `${colour}-fill`, cx: at, cy: y(value.median), r: 3.5 }),
    ]),
  ];
}

function said({ median }: Spread): string {
  return median === 0 ? '0' : digits(median);
}

/** An upright bar with a foot at each end. */
function whisker(x: number, from: number, to: number): string {
  const [a, b] = [from.toFixed(1), to.toFixed(1)];
  return `M${x - 4} ${a}h8M${x - 4} ${b}h8M${x} ${a}V${b}`;
}

function labelMarks({ name, colour, values }: Line, end: number, place: number, x: number): string[] {
  const last = values.findLast((value) => value);
  if (!last) return [];
  return [
    element('polyline', {
      class: colour,
      fill: 'none',
      opacity: 0.5,
      points: [`${(x + 7).toFixed(1)},${end.toFixed(1)}`, `${RIGHT},${place.toFixed(1)}`].join(' '),
    }),
    label(RIGHT + 46, place + 4, said(last), { 'text-anchor': 'end' }),
    label(RIGHT + 56, place + 4, name, { class: `${colour}-fill` }),
  ];
}
