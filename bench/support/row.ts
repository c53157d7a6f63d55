import { digits } from './table.ts';

/** One line of the table that a run ends with: a figure of Ringway's beside another's of the same run. */
export interface Row {
  readonly name: string;
  readonly measured: number;
  /** The other's figure, or the bound itself. */
  readonly beside: number;
  /** As words: `<= 1.3 x`. */
  readonly target: string;
  readonly ok: boolean;
}

/** A row whose target is at most `factor` times the other's figure. */
export function atMost(name: string, measured: number, beside: number, factor: number): Row {
  return { name, measured, beside, target: `<= ${factor} x`, ok: measured <= beside * factor };
}

/** A row whose target is the other's figure, give or take a share of it. */
export function within(name: string, measured: number, beside: number, share: number): Row {
  const ok = Math.abs(measured - beside) <= beside * share;
  return { name, measured, beside, target: `+- ${share * 100} %`, ok };
}

/** The rows as text, with a head. */
export function rowsTable(rows: readonly Row[]): string[][] {
  return [
    ['what (beside whom)', 'measured', 'beside', 'ratio', 'target', ''],
    ...rows.map(({ name, measured, beside, target, ok }) => [
      name,
      digits(measured),
      digits(beside),
      beside === 0 ? '-' : `${digits(measured / beside)} x`,
      target,
      ok ? 'met' : 'missed',
    ]),
  ];
}
