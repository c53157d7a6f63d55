import { pointCount, type RingMember } from '@ringway/ring';
import { writePoints } from '../src/points.ts';
import { compareUtf8 } from '../src/utf8-order.ts';

/** The rules of docs/ring.md done in the plainest way: a sorted list of points, searched from the front. */
export interface BrutePoint {
  readonly point: number;
  readonly id: string;
}

export function pointsOf(members: Iterable<RingMember>): BrutePoint[] {
  const all: BrutePoint[] = [];
  for (const { id, weight } of members) {
    const points = new Uint32Array(pointCount(weight));
    writePoints(id, 0, points.length, points, 0);
    for (const point of points) all.push({ point, id });
  }
  return all.sort((a, b) => a.point - b.point || compareUtf8(a.id, b.id));
}

/** The ids of the first `n` distinct members from a point on. */
export function bruteOwners(points: readonly BrutePoint[], point: number, n: number): string[] {
  const found = points.findIndex((entry) => entry.point >= point);
  const first = found < 0 ? 0 : found;
  const ids = new Set<string>();
  for (let i = 0; i < points.length && ids.size < n; i++) ids.add(points[(first + i) % points.length]!.id);
  return [...ids].slice(0, n);
}

/** Every point at which an answer may change, from both sides, and the ends of the circle. */
export function edgesOf(points: readonly BrutePoint[]): number[] {
  const edges = new Set([0, 2 ** 32 - 1]);
  for (const { point } of points) {
    edges.add(point);
    if (point > 0) edges.add(point - 1);
    if (point < 2 ** 32 - 1) edges.add(point + 1);
  }
  return [...edges].sort((a, b) => a - b);
}
