import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as ringway from '@ringway/ring';
import { buildRing, type MovedRange, movedRanges, RingError, type RingMember } from '@ringway/ring';
import { expect, expectTypeOf, test } from 'vitest';
import * as errors from '../src/errors.ts';

const PACKAGE = join(import.meta.dirname, '..');

test('exports what is listed, by name', () => {
  expect(Object.keys(ringway).sort()).toEqual([
    'DuplicateMemberError',
    'EmptyKeyError',
    'ForeignRingError',
    'InvalidCountError',
    'InvalidMemberIdError',
    'InvalidPointError',
    'InvalidWeightError',
    'MAX_WEIGHT',
    'RING_FORMAT',
    'RingError',
    'RingTooLargeError',
    'VIRTUAL_NODES',
    'buildRing',
    'keyPoint',
    'movedRanges',
    'pointCount',
  ]);
  expect(ringway).toMatchObject({ RING_FORMAT: 1, VIRTUAL_NODES: 2048, MAX_WEIGHT: 1000 });
});

test('every error has a class, a name and a code of its own, and is exported', () => {
  const made = [
    new errors.EmptyKeyError(),
    new errors.InvalidMemberIdError(''),
    new errors.DuplicateMemberError('a'),
    new errors.InvalidWeightError('a', 0, 1000),
    new errors.RingTooLargeError(2, 1),
    new errors.InvalidPointError(-1),
    new errors.InvalidCountError(-1),
    new errors.ForeignRingError(),
  ];
  expect(new Set(made.map(({ code }) => code)).size).toBe(made.length);
  expect(made.map(({ name }) => name).sort()).toEqual(
    Object.keys(errors)
      .filter((name) => name !== 'RingError')
      .sort(),
  );
  for (const error of made) {
    expect(error).toBeInstanceOf(RingError);
    expect(ringway).toHaveProperty(error.name, error.constructor);
    expect(error.message).not.toBe('');
  }
});

test('is pure: nothing imported but its own files', async () => {
  const manifest = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8'));
  expect(manifest.dependencies ?? {}).toEqual({});
  await expect(stat(join(PACKAGE, manifest.exports['.']['@ringway/source']))).resolves.toBeDefined();
});

test('carries the type of the members through', () => {
  const ring = buildRing([{ id: 'node-1', weight: 1, url: 'ws://localhost' }]);
  type Member = { id: string; weight: number; url: string };
  expectTypeOf(ring.owner('user:alice')).toEqualTypeOf<Member | undefined>();
  expectTypeOf(ring.owners('user:alice', 2)).toEqualTypeOf<Member[]>();
  expectTypeOf(movedRanges(ring, ring).find(0)).toEqualTypeOf<MovedRange<Member> | undefined>();
  expectTypeOf<Member>().toExtend<RingMember>();
});
