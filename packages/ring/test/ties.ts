import { VIRTUAL_NODES } from '@ringway/ring';
import { writePoints } from '../src/points.ts';

/** Two members, and a point that both have. */
export interface Tie {
  readonly ids: readonly [string, string];
  readonly point: number;
}

/** Shared points among the members `tie-1`, `tie-2` and so on: 130 members have some eight of them. */
export function findTies(members = 130): Tie[] {
  const ties: Tie[] = [];
  const owners = new Map<number, string>();
  const points = new Uint32Array(VIRTUAL_NODES);
  for (let i = 1; i <= members; i++) {
    const id = `tie-${i}`;
    writePoints(id, 0, VIRTUAL_NODES, points, 0);
    for (const point of points) {
      const other = owners.get(point);
      if (other !== undefined && other !== id) ties.push({ ids: [other, id], point });
      owners.set(point, id);
    }
  }
  return ties;
}
