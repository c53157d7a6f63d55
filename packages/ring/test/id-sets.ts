import { createHash } from 'node:crypto';

/** Ids as people give them, in `sets` different sets of `size` for each kind; always the same ones. */
export function balanceSets(size: number, sets: number): Record<string, string[][]> {
  const make = (id: (set: number, i: number) => string) =>
    Array.from({ length: sets }, (_, set) => Array.from({ length: size }, (_, i) => id(set, i)));
  return {
    numbered: make((set, i) => `node-${set * size + i + 1}`),
    prefixed: make((set, i) => `${['ws', 'edge', 'gateway'][set % 3]}-${set}-${i}`),
    uuid: make((set, i) => uuid(`${set}/${i}`)),
    host: make((set, i) => `ip-10-0-${set}-${i}.eu-west-1.compute.internal`),
    address: make((set, i) => `10.1.${set}.${i + 1}:8080`),
    port: make((set, i) => `127.0.0.1:${20_000 + set * size + i}`),
  };
}

function uuid(seed: string): string {
  const hex = createHash('md5').update(seed).digest('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
