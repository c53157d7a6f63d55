// The ring beside npm `hashring` and `consistent-hash`, in turns, in one run: nanoseconds a lookup, and what each
// does wrong: keys that move between members that were there before, other owners on each machine, keys without owner.
// `node --conditions=@ringway/source bench/ring.ts`, about 20 s; `--short` 5 s.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { buildRing, keyPoint, movedRanges, type Ring, type RingMember } from '@ringway/ring';
import { type Row, rowsTable } from './support/row.ts';
import { type Spread, spread } from './support/stats.ts';
import { digits, spreadText, table } from './support/table.ts';

/** A ring under test. Each has a loop of its own, so that the engine sees one kind of ring in it, as it would in use. */
interface Contestant {
  readonly name: string;
  /** Owners as anyone finds them who is given these members and nothing else. */
  build(ids: readonly string[]): {
    owner(key: string): string | undefined;
    /** Looks all keys up; how many had no owner. */
    lookUpAll(keys: readonly string[]): number;
  };
}

// Neither package has types.
const require = createRequire(import.meta.url);
const HashRing: new (
  servers: readonly string[],
) => { get(key: string): string | undefined; add(server: string): void } = require('hashring');
const ConsistentHash: new (options: {
  distribution?: 'uniform';
}) => { get(key: string): string | null; add(node: string): void } = require('consistent-hash');

const OURS = '@ringway/ring';
const PEER = 'hashring';
const UNIFORM = 'consistent-hash (uniform)';

const contestants: readonly Contestant[] = [
  {
    name: OURS,
    build(ids) {
      const ring = buildRing(membersOf(ids));
      return {
        owner: (key) => ring.owner(key)?.id,
        lookUpAll(keys) {
          let missing = 0;
          for (const key of keys) if (ring.owner(key) === undefined) missing++;
          return missing;
        },
      };
    },
  },
  {
    name: PEER,
    build(ids) {
      const ring = new HashRing(ids);
      return {
        owner: (key) => ring.get(key),
        lookUpAll(keys) {
          let missing = 0;
          for (const key of keys) if (ring.get(key) === undefined) missing++;
          return missing;
        },
      };
    },
  },
  {
    name: UNIFORM,
    build: (ids) => consistentHash(ids, { distribution: 'uniform' }),
  },
  {
    name: 'consistent-hash (default)',
    build: (ids) => consistentHash(ids, {}),
  },
];

function consistentHash(ids: readonly string[], options: { distribution?: 'uniform' }) {
  const ring = new ConsistentHash(options);
  for (const id of ids) ring.add(id);
  return {
    owner: (key: string) => ring.get(key) ?? undefined,
    lookUpAll(keys: readonly string[]) {
      let missing = 0;
      for (const key of keys) if (ring.get(key) == null) missing++;
      return missing;
    },
  };
}

/** 12 to 20 bytes each, in no order; more of them than hashring remembers the answers of. */
const KEYS = 10_000;
/** So many that neither they nor their places on the ring stay in a cache. */
const COLD_KEYS = 100_000;
const SESSIONS = 100_000;

const numbered = (n: number) => Array.from({ length: n }, (_, i) => `node-${i + 1}`);

function membersOf(ids: readonly string[]): RingMember[] {
  return ids.map((id) => ({ id, weight: 1 }));
}

function keysOf(count: number): string[] {
  const keys = Array.from({ length: count }, (_, i) => {
    const scattered = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    return `user:${scattered.toString(36).padStart(7 + (scattered % 9), 'abcdefgh')}`;
  });
  // In one piece each, as they come off the wire, and not as the pieces they were put together from.
  return JSON.parse(JSON.stringify(keys));
}

interface Lookups {
  readonly name: string;
  readonly members: number;
  readonly nanoseconds: Spread;
  /** Share of the keys that change hands between members that were there before, when one more is added. */
  readonly strays: number;
  /** Share of the keys that have another owner on a ring built of the same members once more, as on another machine. */
  readonly disagreed: number;
  readonly ownerless: number;
}

function measureLookups(members: number, rounds: number): Lookups[] {
  const ids = numbered(members);
  const keys = keysOf(KEYS);
  const cold = keysOf(COLD_KEYS);
  const running = contestants.map(({ name, build }) => ({ name, keys, ring: build(ids), build }));
  const [ours] = running;
  if (ours) running.push({ ...ours, name: `${OURS}, ${COLD_KEYS / 1000} k keys`, keys: cold });
  const times = running.map((): number[] => []);
  for (let round = -2; round < rounds; round++) {
    for (const [i, { ring, keys }] of running.entries()) {
      // Once for the caches, which the others have just filled with their own; then for the clock, in short turns.
      const turns = keys.length === KEYS ? 3 : 1;
      if (turns > 1) ring.lookUpAll(keys);
      for (let turn = 0; turn < turns; turn++) {
        const began = performance.now();
        ring.lookUpAll(keys);
        if (round >= 0) times[i]?.push(((performance.now() - began) * 1e6) / keys.length);
      }
    }
  }
  return running.map(({ name, ring, build }, i) => {
    const again = build(ids);
    const larger = build([...ids, 'newcomer']);
    const share = (wrong: (key: string) => boolean) => keys.filter(wrong).length / keys.length;
    return {
      name,
      members,
      nanoseconds: spread(times[i] ?? []),
      strays: share((key) => larger.owner(key) !== 'newcomer' && larger.owner(key) !== ring.owner(key)),
      disagreed: share((key) => again.owner(key) !== ring.owner(key)),
      ownerless: ring.lookUpAll(keys),
    };
  });
}

/** Milliseconds of each round; the first, in which the code is new, is among them. */
function timeRounds(rounds: number, work: (round: number) => void): Spread {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    work(round);
    times.push(performance.now() - began);
  }
  return spread(times);
}

function measureChanges(members: number, rounds: number) {
  const before = buildRing(membersOf(numbered(members)));
  const joined = (round: number) =>
    buildRing([...before.members, { id: `newcomer-${round}`, weight: 1 }], { previous: before });
  const full = timeRounds(3, () => buildRing(before.members));
  const add = timeRounds(rounds, joined);

  const peer = new HashRing(numbered(members));
  const peerAdd = timeRounds(2, (round) => peer.add(`newcomer-${round}`));

  const sessions = Uint32Array.from({ length: SESSIONS }, (_, i) => keyPoint(`user:${i}`));
  const after = Array.from({ length: rounds }, (_, round) => joined(round));
  const pick = timeRounds(rounds, (round) => pickMoved(before, after[round] ?? before, sessions));
  const plainPick = timeRounds(rounds, (round) => pickByOwners(before, after[round] ?? before, sessions));
  return { full, add, peerAdd, pick, plainPick };
}

function pickMoved(before: Ring<RingMember>, after: Ring<RingMember>, sessions: Uint32Array): number[] {
  const moved = movedRanges(before, after);
  const picked: number[] = [];
  for (let i = 0; i < sessions.length; i++) if (moved.find(sessions[i] ?? 0)) picked.push(i);
  return picked;
}

/** The plain way to the same: ask both rings about every session. */
function pickByOwners(before: Ring<RingMember>, after: Ring<RingMember>, sessions: Uint32Array): number[] {
  const picked: number[] = [];
  for (let i = 0; i < sessions.length; i++) {
    const point = sessions[i] ?? 0;
    if (before.ownerAt(point)?.id !== after.ownerAt(point)?.id) picked.push(i);
  }
  return picked;
}

const percent = (share: number) => `${digits(share * 100)} %`;

function lookupTable(lookups: readonly Lookups[]): string {
  const head = ['members, ring', 'ns a lookup', 'moved between old', 'other when rebuilt', 'without owner'];
  const rows = lookups.map(({ name, members, nanoseconds, strays, disagreed, ownerless }) => [
    `${members} ${name}`,
    spreadText(nanoseconds),
    percent(strays),
    percent(disagreed),
    String(ownerless),
  ]);
  return table([head, ...rows]);
}

/** Measures, prints the table, and returns a row for each target. */
function run({ short = false }: { short?: boolean } = {}): Promise<Row[]> {
  const rounds = short ? 5 : 20;
  const lookups = [10, 1000].flatMap((members) => measureLookups(members, rounds));
  const { full, add, peerAdd, pick, plainPick } = measureChanges(1000, short ? 9 : 25);
  const changes = [
    ['at 1000 members', 'ms', 'beside'],
    ['full build', spreadText(full), ''],
    ['one member added', spreadText(add), `${PEER} ${spreadText(peerAdd)}`],
    [
      `moved ranges, ${SESSIONS / 1000} k sessions picked`,
      spreadText(pick),
      `by owners ${spreadText(plainPick)}`,
    ],
  ];
  console.log(`${lookupTable(lookups)}\n\n${table(changes)}`);

  const of = (name: string, members: number) => {
    const found = lookups.find((entry) => entry.name === name && entry.members === members);
    if (!found) throw new Error(`${name} was not measured at ${members} members`);
    return found;
  };
  const upTo = (name: string, measured: number, beside: number, limit: number, unit: string): Row => ({
    name,
    measured,
    beside,
    target: limit === 0 ? '0' : `<= ${limit} ${unit}`,
    ok: measured <= limit,
  });
  const lookup = (members: number, limit: number) => {
    const name = `ring lookup, ${members} members (beside ${PEER}), ns`;
    return upTo(
      name,
      of(OURS, members).nanoseconds.median,
      of(PEER, members).nanoseconds.median,
      limit,
      'ns',
    );
  };
  const strays = `keys moved between old members, 1000 + 1 (beside ${UNIFORM})`;
  return Promise.resolve([
    lookup(10, 80),
    lookup(1000, 130),
    upTo(strays, of(OURS, 1000).strays, of(UNIFORM, 1000).strays, 0, ''),
    upTo(
      `keys without owner, 1000 members (beside ${PEER})`,
      of(OURS, 1000).ownerless,
      of(PEER, 1000).ownerless,
      0,
      '',
    ),
    upTo(`member added to 1000 (beside ${PEER}), ms`, add.median, peerAdd.median, 10, 'ms'),
    upTo(
      'moved ranges and sessions picked (beside asking both rings), ms',
      pick.median,
      plainPick.median,
      20,
      'ms',
    ),
  ]);
}

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const measured = await run(flags);
console.log(flags.json ? JSON.stringify(measured) : `\n${table(rowsTable(measured))}`);
