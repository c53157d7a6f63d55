import { parseArgs } from 'node:util';
import { FAULT_KINDS, type FaultKind, PLANNED_KINDS } from './scenario.ts';
import type { LogKind } from './world.ts';

/** What a run is asked for on its command line. */
export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly log: LogKind;
  /** What may happen. */
  readonly kinds: readonly FaultKind[];
  readonly nodes: number;
  readonly people: number;
  readonly rate: number;
  /** What a gap is: told, or a flaw. */
  readonly gaps: 'told' | 'none';
  /** Every session must be on the home of its user in the end. */
  readonly homes: boolean;
}

export const USAGE = `chaos [--seconds 60] [--seed N] [--log memory|redis] [--nodes 4] [--people 120] [--rate 150]
      [--faults all|planned|KIND,KIND…] [--without KIND,KIND…] [--gaps told|none] [--homes]

  --seconds  how long things go wrong; some 30 s of beginning and calming down come to it
  --seed     the same seed gives the same schedule; one is made up, and printed, when left out
  --log      where the messages are kept; with redis no gap may be told (but see --gaps)
  --rate     publishes a second
  --faults   planned: what operators do on purpose. Kinds: ${FAULT_KINDS.join(', ')}
  --without  kinds that are left out
  --gaps     none: every gap is a flaw. Without it: none with redis, told with memory
  --homes    in the end every session must be on the home of its user
`;

/** Reads the command line. @throws Error that names what is wrong */
export function readOptions(args: readonly string[]): ChaosOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: text,
      seed: text,
      log: text,
      nodes: text,
      people: text,
      rate: text,
      faults: text,
      without: text,
      gaps: text,
      homes: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) throw new Error('what chaos takes:');
  const without = values.without ? kindsOf('without', values.without) : [];
  const log = oneOf('log', values.log || 'memory', ['memory', 'redis']);
  return Object.freeze({
    seconds: whole('seconds', values.seconds, 60, 3, 86_400),
    seed: whole('seed', values.seed, Math.floor(Math.random() * 1e6), 0, 0xffff_ffff),
    log,
    kinds: kindsOf('faults', values.faults || 'all').filter((kind) => !without.includes(kind)),
    nodes: whole('nodes', values.nodes, 4, 3, 20),
    people: whole('people', values.people, 120, 2, 10_000),
    rate: whole('rate', values.rate, 150, 1, 100_000),
    gaps: oneOf('gaps', values.gaps || (log === 'redis' ? 'none' : 'told'), ['told', 'none']),
    homes: values.homes ?? false,
  });
}

function kindsOf(name: string, text: string): readonly FaultKind[] {
  if (text === 'all') return FAULT_KINDS;
  if (text === 'planned') return PLANNED_KINDS;
  return text.split(',').map((kind) => oneOf(name, kind, FAULT_KINDS));
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined)
    throw new Error(`--${name} must be one of ${allowed.join(', ')}, it is "${value}"`);
  return found;
}

function whole(
  name: string,
  text: string | undefined,
  byDefault: number,
  least: number,
  most: number,
): number {
  const value = text ? Number(text) : byDefault;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`--${name} must be a whole number from ${least} to ${most}, it is "${text}"`);
  }
  return value;
}
