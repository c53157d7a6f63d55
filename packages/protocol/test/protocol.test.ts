import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  allows,
  CLOSE,
  capabilitiesProblem,
  channelKind,
  closeRule,
  ERRORS,
  isUserId,
  userChannel,
} from '../src/index.ts';

describe('user ids', () => {
  it('has 1 to 256 bytes of UTF-8 without control characters', () => {
    expect(isUserId('')).toBe(false);
    expect(isUserId('a'.repeat(256))).toBe(true);
    expect(isUserId('a'.repeat(257))).toBe(false);
    expect(isUserId('é'.repeat(128))).toBe(true);
    expect(isUserId('é'.repeat(129))).toBe(false);
    expect(isUserId('a\u0000b')).toBe(false);
    expect(isUserId('\ud800')).toBe(false);
    expect(isUserId(7)).toBe(false);
  });

  it('measures bytes as TextEncoder does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (id) => {
        const bytes = new TextEncoder().encode(id).length;
        const clean = !/[\u0000-\u001f\u007f]/.test(id) && id.isWellFormed();
        expect(isUserId(id)).toBe(clean && bytes >= 1 && bytes <= 256);
        if (isUserId(id)) expect(channelKind(userChannel(id))).toBe('user');
      }),
    );
  });

  it('takes only the three kinds of channel', () => {
    expect(channelKind('group:class-7')).toBe('group');
    expect(channelKind('all')).toBe('all');
    expect(channelKind('user:')).toBeUndefined();
    expect(channelKind('room:1')).toBeUndefined();
  });
});

describe('capabilities', () => {
  it('match exactly, or by one trailing star', () => {
    expect(allows(['user:bob'], 'user:bob')).toBe(true);
    expect(allows(['user:bob'], 'user:bobby')).toBe(false);
    expect(allows(['user:bob*'], 'user:bobby')).toBe(true);
    expect(allows(['*'], 'all')).toBe(true);
    expect(allows([], 'user:bob')).toBe(false);
  });

  it('are refused with the field and what was expected', () => {
    expect(capabilitiesProblem({ publish: ['user:*'] })).toBeUndefined();
    expect(capabilitiesProblem({ publish: 'user:*' })).toContain('cap.publish');
    expect(capabilitiesProblem({ join: Array(65).fill('group:a') })).toContain('at most 64');
    expect(capabilitiesProblem({ presence: ['a*b'] })).toContain("'*' may stand only at the end");
    expect(capabilitiesProblem([])).toContain('object');
  });
});

describe('close codes', () => {
  it('do what their range says, each code once', () => {
    const rows = Object.entries(CLOSE);
    expect(new Set(rows.map(([, { code }]) => code)).size).toBe(rows.length);
    for (const [name, row] of rows) {
      const action = { 44: 'terminal', 45: 'route', 46: 'again' }[Math.floor(row.code / 100)];
      expect(closeRule(row.code)).toEqual({ ...row, name, action });
    }
  });

  it('that are not known yet act as their range says', () => {
    expect(closeRule(4499)).toEqual({ name: 'closed', code: 4499, action: 'terminal' });
    expect(closeRule(4599).action).toBe('route');
    expect(closeRule(4699).action).toBe('again');
    expect(closeRule(1006).action).toBe('route');
  });
});

describe('the error catalogue', () => {
  it('gives every code a status and a sentence', () => {
    for (const rule of Object.values(ERRORS)) {
      expect(rule.status).toBeGreaterThanOrEqual(400);
      expect(rule.means.length).toBeGreaterThan(5);
    }
  });
});
