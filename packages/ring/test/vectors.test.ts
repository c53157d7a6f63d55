import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeVectors } from './make-vectors.ts';

const VECTORS = join(import.meta.dirname, '../vectors.json');
const CHECK = join(import.meta.dirname, '../check/check_ring.py');
const run = promisify(execFile);
const check = async (path: string) => ({
  code: 0,
  ...(await run('python3', [CHECK, path], { timeout: 20_000 })),
});

type Vectors = ReturnType<typeof makeVectors>;
const read = async (): Promise<Vectors> => JSON.parse(await readFile(VECTORS, 'utf8'));

test('vectors.json is what this implementation gives', async () => {
  expect(await read()).toEqual(makeVectors());
});

describe('the second implementation, made from docs/ring.md in Python', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ringway-vectors-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('agrees with every vector', async () => {
    const { stdout } = await check(VECTORS);
    expect(stdout).toMatch(/^\d{3} checks passed\n$/);
  });

  test('names each vector that is wrong, and exits with 1', async () => {
    const vectors = await read();
    const [three, tie] = [vectors.rings[2]!, vectors.rings.at(-1)!];
    vectors.keys[0]!.point++;
    vectors.virtualNodePoints[1]!.point--;
    three.checksum = '0123456789abcdef';
    three.owners[0]!.owners.reverse();
    tie.ownersAt.at(-2)!.owners.reverse();
    vectors.moved[0]!.first[0]!.end++;
    const path = join(folder, 'vectors.json');
    await writeFile(path, JSON.stringify(vectors));
    const mismatches = [
      "keys 'user:alice' point:",
      "virtualNodePoints 'node-1' 1:",
      "rings 'three' checksum:",
      "rings 'three' owners 'user:alice':",
      `rings 'tie' ownersAt ${tie.ownersAt.at(-2)!.point}:`,
      "moved 'three' to 'four' first:",
    ];
    const { code, stderr } = await check(path).catch((error: { code: number; stderr: string }) => error);
    expect(code).toBe(1);
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(mismatches.length + 1);
    for (const [i, name] of mismatches.entries()) expect(lines[i]).toContain(`MISMATCH ${name}`);
    expect(lines.at(-1)).toMatch(/^6 of \d+ checks failed$/);
  });

  test('fails when a ring is missing a member', async () => {
    const vectors = await read();
    vectors.rings[2]!.members.pop();
    const path = join(folder, 'vectors.json');
    await writeFile(path, JSON.stringify(vectors));
    await expect(check(path)).rejects.toMatchObject({ code: 1 });
  });
});
