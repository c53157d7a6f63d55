// Makes packages/ring/vectors.json. A change of what it prints is a change of the ring format:
//   node --conditions=@ringway/source packages/ring/test/make-vectors.ts > packages/ring/vectors.json
import { createHash } from 'node:crypto';
import {
  buildRing,
  keyPoint,
  movedRanges,
  pointCount,
  RING_FORMAT,
  type Ring,
  type RingMember,
  VIRTUAL_NODES,
} from '@ringway/ring';
import { writePoints } from '../src/points.ts';
import { pointsOf } from './brute-ring.ts';

const KEYS = [
  'user:alice',
  'user:bob',
  'group:class-7',
  'a',
  'ab',
  'abc',
  'abcd',
  'abcde',
  'user:0',
  'user:jürgen',
  'user:Ωμέγα',
  'user:山田太郎',
  'user:😀',
  'group:👩‍👩‍👧‍👦',
  '\u0000',
  '\uffff',
  'lone \ud83d high',
  'lone \ude00 low',
  '\ud800',
  'user:550e8400-e29b-41d4-a716-446655440000',
  'user: with spaces, "quotes" and\nlines',
];

const LONG = [
  { part: 'x', times: 100_000 },
  { part: 'é', times: 33_333 },
  { part: '😀!', times: 20_000 },
];

const equal = (...ids: string[]): RingMember[] => ids.map((id) => ({ id, weight: 1 }));
const numbered = (n: number) => equal(...Array.from({ length: n }, (_, i) => `node-${i + 1}`));

/** Two members that share a point, found by search. Equal points go by id, so which of them owns it is looked at below. */
const TIE = findTie();

const RINGS: Record<string, RingMember[]> = {
  empty: [],
  one: numbered(1),
  three: numbered(3),
  four: numbered(4),
  ten: numbered(10),
  addresses: equal('10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.10:8080'),
  weighted: [
    { id: 'small', weight: 0.25 },
    { id: 'usual', weight: 1 },
    { id: 'large', weight: 2.5 },
    { id: 'crumb', weight: 0.00001 },
    { id: 'half', weight: 1.000244140625 },
  ],
  reweighted: [
    { id: 'small', weight: 0.5 },
    { id: 'usual', weight: 1 },
    { id: 'large', weight: 1.75 },
    { id: 'crumb', weight: 0.00001 },
    { id: 'half', weight: 1.000244140625 },
  ],
  unicode: equal('köln', '東京', '😀', '\uff5e', 'a 7:b 1\n', 'z'),
  tie: equal(...TIE.ids),
};

const MOVES = [
  ['three', 'four'],
  ['four', 'three'],
  ['ten', 'four'],
  ['weighted', 'reweighted'],
  ['three', 'addresses'],
  ['empty', 'three'],
  ['one', 'empty'],
  ['three', 'three'],
] as const;

export function makeVectors() {
  const rings = new Map(Object.entries(RINGS).map(([name, members]) => [name, buildRing(members)]));
  return {
    format: RING_FORMAT,
    virtualNodes: VIRTUAL_NODES,
    keys: KEYS.map((key) => ({ key, utf8: hex(key), point: keyPoint(key) })),
    longKeys: LONG.map(({ part, times }) => ({ part, times, point: keyPoint(part.repeat(times)) })),
    virtualNodePoints: [
      ...[0, 1, 255, 256, 2047, 65_536, 2_047_999].map((number) => virtualNode('node-1', number)),
      ...['a', 'ab', 'abc', 'abcd', '東京', '😀'].map((id) => virtualNode(id, 7)),
    ],
    rings: [...rings].map(([name, ring]) => describeRing(name, ring)),
    moved: MOVES.map(([before, after]) => describeMove(before, after, rings)),
  };
}

function describeRing(name: string, ring: Ring<RingMember>) {
  const edges = [0, 1, 2 ** 31, 2 ** 32 - 1];
  // On a point, one before and one behind it: which side of it its arc is.
  const points = pointsOf(ring.members).map(({ point }) => point);
  for (const point of [points[0], points.at(-1), name === 'tie' ? TIE.point : points[points.length >> 1]]) {
    if (point !== undefined) edges.push(point - 1, point, (point + 1) % 2 ** 32);
  }
  return {
    name,
    members: ring.members.map(({ id, weight }) => ({ id, weight, points: pointCount(weight) })),
    checksum: ring.version.checksum,
    layout: layoutOf(ring),
    owners: KEYS.map((key) => ({ key, owners: ring.owners(key, 3).map(({ id }) => id) })),
    ownersAt: edges.map((point) => ({ point, owners: ring.ownersAt(point, 3).map(({ id }) => id) })),
  };
}

/** SHA-256 of a line `<point> <id>` for every point in order. */
function layoutOf(ring: Ring<RingMember>): string {
  const hash = createHash('sha256');
  for (const { point, id } of pointsOf(ring.members)) hash.update(`${point} ${id}\n`);
  return hash.digest('hex');
}

function describeMove(before: string, after: string, rings: ReadonlyMap<string, Ring<RingMember>>) {
  const moved = movedRanges(rings.get(before)!, rings.get(after)!);
  const all = [...moved].map(({ start, end, from, to }) => ({
    start,
    end,
    from: from?.id ?? null,
    to: to?.id ?? null,
  }));
  const hash = createHash('sha256');
  for (const { start, end, from, to } of all) hash.update(`${start} ${end} ${from ?? ''} ${to ?? ''}\n`);
  return {
    before,
    after,
    count: all.length,
    points: Math.round(moved.share * 2 ** 32),
    digest: hash.digest('hex'),
    first: all.slice(0, 4),
    last: all.slice(-4),
  };
}

function virtualNode(id: string, number: number) {
  const point = new Uint32Array(1);
  writePoints(id, number, number + 1, point, 0);
  return { id, number, point: point[0]! };
}

function hex(text: string): string {
  return Buffer.from(new TextEncoder().encode(text)).toString('hex');
}

/** The first two members of a made-up series that share a point. */
function findTie(): { ids: string[]; point: number } {
  const owners = new Map<number, string>();
  for (let i = 1; ; i++) {
    const id = `tie-${i}`;
    for (const { point } of pointsOf(equal(id))) {
      const other = owners.get(point);
      if (other !== undefined && other !== id) return { ids: [id, other], point };
      owners.set(point, id);
    }
  }
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(makeVectors(), null, 1)}\n`);
