import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apart, linearAxis, logAxis } from '../chart/axis.ts';
import { barChart } from '../chart/bars.ts';
import { lineChart } from '../chart/lines.ts';
import type { Spread } from '../support/stats.ts';

/** Fails unless it is one whole element, and every element in it is closed in its place. */
function wellFormed(svg: string): void {
  const open: string[] = [];
  for (const [, end, name = '', , alone] of svg.matchAll(
    /<(\/?)([a-z]+)((?:\s[a-z:A-Z-]+="[^"<>]*")*)(\/?)>/g,
  )) {
    if (end) expect(open.pop()).toBe(name);
    else if (!alone) open.push(name);
  }
  expect(open).toEqual([]);
  expect(svg.match(/<[^>]*$|&(?!amp;|lt;|gt;|quot;)/)).toBeNull();
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
}

const once = (value: number): Spread => ({ median: value, min: value, max: value });
const positive = fc.double({ min: 0.001, max: 1e6, noNaN: true });
const spreads = fc
  .tuple(positive, positive, positive)
  .map((values) => values.sort((a, b) => a - b))
  .map(([min = 0, median = 0, max = 0]): Spread => ({ median, min, max }));

describe('an axis', () => {
  it('holds all values, and its numbers are even steps from 0', () => {
    fc.assert(
      fc.property(positive, (greatest) => {
        const { at, ticks } = linearAxis(greatest, 0, 100);
        expect(at(0)).toBe(0);
        expect(at(greatest)).toBeLessThanOrEqual(100.0001);
        expect(ticks.length).toBeGreaterThanOrEqual(2);
        expect(ticks.length).toBeLessThanOrEqual(7);
        expect(at(ticks.at(-1) ?? 0)).toBeCloseTo(100);
      }),
      { examples: [[999_999.999_999_999, 999_999.999_999_999]] },
    );
  });

  it('by powers, too, and takes equal ratios for equal lengths', () => {
    fc.assert(
      fc.property(positive, positive, (one, other) => {
        const [least, greatest] = [Math.min(one, other), Math.max(one, other)];
        const { at, ticks } = logAxis(least, greatest, 0, 100);
        expect(at(least)).toBeGreaterThanOrEqual(-0.0001);
        expect(at(greatest)).toBeLessThanOrEqual(100.0001);
        expect(at(ticks[0] ?? 0)).toBeCloseTo(0);
        expect(at(ticks.at(-1) ?? 0)).toBeCloseTo(100);
      }),
    );
    const { at } = logAxis(1, 100, 0, 100);
    expect(at(10)).toBeCloseTo(50);
  });
});

it('labels lie apart, in the order of their values, within the picture', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 15 }), (wanted) => {
      const places = apart(wanted, 17, 0, 300);
      const sorted = [...places].sort((a, b) => a - b);
      for (const [index, place] of sorted.entries()) {
        expect(place).toBeGreaterThanOrEqual(0);
        expect(place).toBeLessThanOrEqual(300);
        if (index > 0) expect(place - (sorted[index - 1] ?? 0)).toBeGreaterThanOrEqual(17);
      }
      for (const [i, one] of wanted.entries()) {
        for (const [k, other] of wanted.entries()) {
          if (one < other) expect(places[i]).toBeLessThan(places[k] ?? 0);
        }
      }
    }),
  );
});

describe('a line chart', () => {
  const chart = (values: (Spread | undefined)[], name = 'one'): string =>
    lineChart({
      title: 'a <title> & "more"',
      subtitle: 'with a subtitle',
      unit: 'us a message',
      along: 'nodes',
      places: values.map((_, index) => 2 ** index),
      lines: [{ name, colour: 'blue', values }],
    });

  it('is well-formed whatever is shown', () => {
    const value = fc.option(spreads, { nil: undefined });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), fc.string(), (values, name) =>
        wellFormed(chart(values, name)),
      ),
    );
  });

  it('has its title, its unit and its values as text, for those who cannot see it too', () => {
    const svg = chart([once(7), undefined, { median: 9, min: 8, max: 12 }]);
    expect(svg).toContain('<title id="title">a &lt;title&gt; &amp; &quot;more&quot;</title>');
    expect(svg).toContain('us a message, at 1, 2, 4 nodes. one: 7.00, none, 9.00.');
    expect(svg).toMatch(/role="img" aria-labelledby="title description"/);
    expect(svg).toMatch(/<text [^>]*>us a message<\/text>/);
    expect(svg).toContain('prefers-color-scheme:dark');
  });

  it('shows the spread where there were several rounds, and nothing where there was one', () => {
    expect(chart([once(7), once(8)])).not.toContain('<path');
    expect(chart([once(7), { median: 9, min: 8, max: 12 }]).match(/<path/g)).toHaveLength(1);
  });
});

describe('a bar chart', () => {
  it('is well-formed whatever is shown, on either axis', () => {
    const bar = fc.option(
      spreads.chain((to) =>
        fc
          .constantFrom(0.3, 1)
          .map((share) => ({ from: to.min * share, to, said: `${to.median} < 3 & so on` })),
      ),
      { nil: undefined },
    );
    fc.assert(
      fc.property(fc.array(bar, { minLength: 1, maxLength: 4 }), fc.boolean(), (bars, log) => {
        fc.pre(bars.some((each) => each));
        const series = bars.map((_, index) => `${index} nodes`);
        const groups = [{ name: 'one & only', colour: 'gold' as const, bars }];
        wellFormed(barChart({ title: 't', subtitle: 's', unit: 'ms', series, groups, log }));
      }),
    );
  });

  it('draws a bar as long as its value, and over its end the spread', () => {
    const svg = barChart({
      title: 't',
      subtitle: 's',
      unit: 'ms',
      series: ['a', 'b'],
      groups: [
        {
          name: 'g',
          colour: 'pink',
          bars: [
            { to: once(5), said: '5' },
            { to: { median: 10, min: 9, max: 10 }, said: '10' },
          ],
        },
      ],
    });
    const widths = [...svg.matchAll(/<rect class="pink-fill"[^>]* width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(widths).toEqual([215, 430]);
    expect(svg.match(/<path/g)).toHaveLength(1);
  });
});
