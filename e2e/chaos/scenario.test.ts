import { describe, expect, it } from 'vitest';
import { readOptions } from './options.ts';
import { FAULT_KINDS, makeScenario, PLANNED_KINDS, type ScenarioOptions } from './scenario.ts';

const OPTIONS: ScenarioOptions = {
  seed: 1,
  seconds: 600,
  nodes: 4,
  minNodes: 3,
  maxNodes: 5,
  locators: 2,
  consulServers: 3,
  consulAgents: 2,
  redis: true,
  linkTimeoutMs: 3_000,
};
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

describe('a scenario', () => {
  it('is a pure function of its options', () => {
    expect(makeScenario(OPTIONS)).toEqual(makeScenario({ ...OPTIONS }));
    expect(makeScenario(OPTIONS)).not.toEqual(makeScenario({ ...OPTIONS, seed: 2 }));
  });

  it('has every kind of fault, those of Redis only where there is Redis', () => {
    const kindsOf = (options: ScenarioOptions): Set<string> =>
      new Set(SEEDS.flatMap((seed) => makeScenario({ ...options, seed }).map(({ fault }) => fault.kind)));
    expect(kindsOf(OPTIONS)).toEqual(new Set(FAULT_KINDS));
    const memory = FAULT_KINDS.filter((kind) => !kind.startsWith('redis-'));
    expect(kindsOf({ ...OPTIONS, redis: false })).toEqual(new Set(memory));
    expect(kindsOf({ ...OPTIONS, kinds: PLANNED_KINDS })).toEqual(new Set(PLANNED_KINDS));
  });

  it('begins within its time, and never has fewer nodes than it may, nor half of them disturbed at once', () => {
    for (const seed of SEEDS) {
      const nodes = new Set(['node-1', 'node-2', 'node-3', 'node-4']);
      const disturbed: { readonly until: number; readonly at: number }[] = [];
      for (const { at, fault } of makeScenario({ ...OPTIONS, seed })) {
        expect(at).toBeLessThan(600_000);
        if (fault.kind === 'node-add') nodes.add(fault.node);
        else if ('node' in fault) expect(nodes).toContain(fault.node);
        if (fault.kind === 'node-stop' || fault.kind === 'node-drain') nodes.delete(fault.node);
        expect(nodes.size).toBeGreaterThanOrEqual(3);
        expect(nodes.size).toBeLessThanOrEqual(5);
        if (!('forMs' in fault) || !('node' in fault || 'pair' in fault)) continue;
        expect(Number.isInteger(fault.forMs)).toBe(true);
        disturbed.push({ at, until: at + fault.forMs });
        const now = disturbed.filter(({ until }) => until > at);
        expect(2 * now.length).toBeLessThan(nodes.size);
      }
    }
  });

  it('freezes and parts nodes for less than the link timeout, and for more', () => {
    const lasts = SEEDS.flatMap((seed) => makeScenario({ ...OPTIONS, seed })).flatMap(({ fault }) =>
      fault.kind === 'node-freeze' ? [fault.forMs] : [],
    );
    expect(lasts.some((ms) => ms < 3_000)).toBe(true);
    expect(lasts.some((ms) => ms > 6_000)).toBe(true);
  });
});

describe('the command line', () => {
  it('names what is wrong with it', () => {
    expect(() => readOptions(['--seconds', 'long'])).toThrow(/--seconds must be a whole number from 3/);
    expect(() => readOptions(['--log', 'disk'])).toThrow(/--log must be one of memory, redis/);
    expect(() => readOptions(['--faults', 'node-add,fire'])).toThrow(/--faults must be one of/);
  });

  it('allows no gap with Redis, unless it is told to', () => {
    expect(readOptions([]).gaps).toBe('told');
    expect(readOptions(['--log', 'redis']).gaps).toBe('none');
    expect(readOptions(['--log', 'redis', '--gaps', 'told']).gaps).toBe('told');
    // a make variable that was not given is empty
    expect(readOptions(['--seed', '', '--seconds', '']).seconds).toBe(60);
  });
});
