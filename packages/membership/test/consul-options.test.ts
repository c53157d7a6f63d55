import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffMs } from '../src/backoff.ts';
import {
  CONSUL_TIMINGS,
  type ConsulMembershipOptions,
  consulMembership,
  InvalidOptionError,
} from '../src/index.ts';
import { clusterSigner } from './support/members.ts';

const signer = clusterSigner();

function problem(options: Partial<ConsulMembershipOptions>): unknown {
  try {
    void consulMembership({ address: 'http://127.0.0.1:8500', signer, ...options }).close();
    return undefined;
  } catch (error) {
    return error instanceof InvalidOptionError ? error.option : error;
  }
}

describe('options', () => {
  test('bad ones are refused by name', () => {
    expect(problem({})).toBeUndefined();
    expect(problem({ address: 'localhost:8500' })).toBe('address');
    expect(problem({ address: 'http://127.0.0.1:8500/v1' })).toBe('address');
    expect(problem({ address: 'http://[::1]:8500', service: 'staging-node' })).toBeUndefined();
    expect(problem({ service: 'Ringway Node' })).toBe('service');
    expect(problem({ check: { deregisterAfter: '30s' } })).toBe('check.deregisterAfter');
    expect(problem({ check: { deregisterAfter: 'soon' } })).toBe('check.deregisterAfter');
    expect(problem({ check: { deregisterAfter: '90s' } })).toBeUndefined();
    expect(problem({ check: { url: 'nowhere' } })).toBe('check.url');
    expect(problem({ timings: { criticalHoldMs: -1 } })).toBe('timings.criticalHoldMs');
    expect(problem({ timings: { waitMs: 10 } })).toBe('timings.waitMs');
    expect(problem({ timings: { backoff: { baseMs: Number.NaN, capMs: 1 } } })).toBe('timings.baseMs');
  });

  test('defaults cannot be changed', () => {
    expect(Object.isFrozen(CONSUL_TIMINGS)).toBe(true);
  });
});

test('the backoff grows from its base to its cap and never asks in a tight loop', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (failures, chance) => {
        const wait = backoffMs(failures, CONSUL_TIMINGS.backoff, () => chance);
        const whole = Math.min(2_000, 100 * 2 ** (failures - 1));
        expect(wait).toBeGreaterThanOrEqual(whole / 2);
        expect(wait).toBeLessThanOrEqual(whole);
      },
    ),
  );
});
