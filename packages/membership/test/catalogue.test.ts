import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCatalogue } from '../src/consul/catalogue.ts';
import type { Member } from '../src/index.ts';
import { memberMeta, memberOf } from '../src/signed-member.ts';
import { clusterSigner, member } from './support/members.ts';

const SERVICE = 'ringway-node';
const signer = clusterSigner();

interface Check {
  CheckID: string;
  Status: string;
}

function row(
  own: Member,
  checks: Check[] = [],
  modified = 1,
  meta = memberMeta(SERVICE, own, signer),
): unknown {
  return {
    Node: { Node: 'machine' },
    Service: { ID: `${SERVICE}:${own.id}`, Meta: meta, ModifyIndex: modified },
    Checks: checks,
  };
}

function states(...rows: unknown[]): Record<string, string> {
  const { members = new Map() } = readCatalogue(SERVICE, rows, signer) ?? {};
  return Object.fromEntries(
    [...members].map(([id, { member: own, state }]) => [`${id}@${own.incarnation}`, state]),
  );
}

describe('the catalogue', () => {
  test('a member comes back as it was written', () => {
    const own = member('a', { weight: 2.25, protocol: { min: 1, max: 3 }, ringFormat: 4 });
    expect(memberOf(SERVICE, memberMeta(SERVICE, own, signer), signer)).toEqual({ member: own });
  });

  test('any change to any field breaks the signature', () => {
    const meta = memberMeta(SERVICE, member('a'), signer);
    for (const name of Object.keys(meta).filter((key) => key !== 'sig')) {
      const changed = { ...meta, [name]: name.endsWith('Url') ? `${meta[name]}/x` : `${meta[name]}1` };
      if (name === 'protocolMin') changed['protocolMax'] = '11';
      expect(memberOf(SERVICE, changed, signer), name).toMatchObject({ reason: 'bad_signature' });
    }
    expect(memberOf('staging-node', meta, signer)).toMatchObject({ reason: 'bad_signature' });
    expect(memberOf(SERVICE, meta, clusterSigner('another key, which is of 32 bytes or more'))).toMatchObject(
      {
        reason: 'bad_signature',
      },
    );
  });

  test('checks give the state: warning is up, any critical one is critical, maintenance of any kind is leaving', () => {
    expect(states(row(member('a')))).toEqual({ 'a@a-start-1': 'up' });
    expect(states(row(member('a'), [{ CheckID: 'x', Status: 'warning' }]))).toEqual({ 'a@a-start-1': 'up' });
    const ill = { CheckID: 'serfHealth', Status: 'critical' };
    expect(states(row(member('a'), [{ CheckID: 'x', Status: 'passing' }, ill]))).toEqual({
      'a@a-start-1': 'critical',
    });
    for (const CheckID of ['_service_maintenance:ringway-node:a', '_node_maintenance']) {
      expect(states(row(member('a'), [ill, { CheckID, Status: 'critical' }]))).toEqual({
        'a@a-start-1': 'leaving',
      });
    }
  });

  test('of two entries of one member the living one counts, else the later one, in any order', () => {
    const first = member('a', { incarnation: 'first' });
    const second = member('a', { incarnation: 'second' });
    const ill = [{ CheckID: 'x', Status: 'critical' }];
    const both = [row(first, ill, 9), row(second, [], 5)];
    expect(states(...both)).toEqual({ 'a@second': 'up' });
    expect(states(...both.toReversed())).toEqual({ 'a@second': 'up' });
    const later = [row(first, ill, 9), row(second, ill, 5)];
    expect(states(...later)).toEqual({ 'a@first': 'critical' });
    expect(states(...later.toReversed())).toEqual({ 'a@first': 'critical' });
  });

  test('a forged entry never takes the place of a true one', () => {
    const forged = row(member('a'), [], 99, {
      ...memberMeta(SERVICE, member('a'), signer),
      incarnation: 'forged',
    });
    const ill = [{ CheckID: 'x', Status: 'critical' }];
    const found = readCatalogue(SERVICE, [forged, row(member('a'), ill)], signer);
    expect(found?.members.get('a')?.member.incarnation).toBe('a-start-1');
    expect(found?.rejected).toEqual([
      { reason: 'bad_signature', serviceId: 'ringway-node:a', node: 'machine', detail: expect.any(String) },
    ]);
  });

  test('whatever a catalogue holds, reading it ends in members and rejections, one for each row', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        const found = readCatalogue(SERVICE, body, signer);
        if (!Array.isArray(body)) expect(found).toBeUndefined();
        else expect(found?.rejected).toHaveLength(body.length);
      }),
    );
    const text = fc.oneof(
      fc.string(),
      fc.integer().map(String),
      fc.constantFrom('1e3', 'Infinity', '0x1', ' 1', '-0'),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('weight', 'ringFormat', 'protocolMin', 'publicUrl', 'id', 'sig'),
        text,
        (name, value) => {
          const meta = { ...memberMeta(SERVICE, member('a'), signer), [name]: value };
          const unchanged = memberMeta(SERVICE, member('a'), signer)[name] === value;
          expect('member' in memberOf(SERVICE, meta, signer)).toBe(unchanged);
        },
      ),
    );
  });
});
