import { TICKET_LEEWAY_SECONDS, TICKET_TTL_SECONDS, type TicketClaims } from '@ringway/protocol';
import { KeyFamily, mintTicket, ticketAudience, ticketExpiry } from '@ringway/service';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tickets } from '../src/session/tickets.ts';
import { ALL, ticketKeys } from './support/cluster.ts';

const LIFE = (TICKET_TTL_SECONDS + TICKET_LEEWAY_SECONDS) * 1_000;

class Counter {
  wall = 1_700_000_000_000;
  private made = 0;
  readonly tickets: Tickets;

  constructor(maxRemembered = 1_000) {
    this.tickets = new Tickets({
      keys: ticketKeys,
      cluster: 'ringway',
      nodeId: 'node-1',
      incarnation: 'i1',
      maxRemembered,
      now: () => this.wall,
    });
  }

  mint(more: Partial<TicketClaims> = {}, keys = ticketKeys): string {
    return mintTicket(keys, {
      iss: 'ringway',
      sub: 'alice',
      aud: ticketAudience('node-1', 'i1'),
      exp: ticketExpiry(this.wall),
      jti: `t${this.made++}`,
      ring: { index: '1', checksum: 'c' },
      cap: ALL,
      ...more,
    });
  }
}

describe('tickets', () => {
  it('are taken once', () => {
    const counter = new Counter();
    const ticket = counter.mint();
    expect(counter.tickets.take(ticket)).toMatchObject({ ok: true, claims: { sub: 'alice' } });
    expect(counter.tickets.take(ticket)).toEqual({ ok: false, close: 'ticket_used', reason: 'used' });
    expect(counter.tickets.take(counter.mint())).toMatchObject({ ok: true });
  });

  it('are taken until their leeway has passed, and used ones are known for as long', () => {
    for (const age of [0, 10_000, LIFE - 1_000]) {
      const counter = new Counter();
      const [used, fresh] = [counter.mint(), counter.mint()];
      counter.tickets.take(used);
      counter.wall += age;
      expect(counter.tickets.take(used)).toMatchObject({ close: 'ticket_used' });
      expect(counter.tickets.take(fresh)).toMatchObject({ ok: true });
    }
    const counter = new Counter();
    const ticket = counter.mint();
    counter.wall += LIFE + 1_000;
    expect(counter.tickets.take(ticket)).toMatchObject({ close: 'ticket_expired' });
  });

  it('that would live longer than they are remembered are refused', () => {
    const counter = new Counter();
    const longest = ticketExpiry(counter.wall) + TICKET_LEEWAY_SECONDS;
    expect(counter.tickets.take(counter.mint({ exp: longest + 1 }))).toEqual({
      ok: false,
      close: 'ticket_expired',
      reason: 'lifetime',
    });
    const ticket = counter.mint({ exp: longest });
    counter.wall += 500;
    expect(counter.tickets.take(ticket)).toMatchObject({ ok: true });
    // the memory turns while it could still be good
    for (const pass of [20_000, 15_000, 4_000]) {
      counter.wall += pass;
      counter.tickets.take(counter.mint());
      expect(counter.tickets.take(ticket)).toMatchObject({ close: 'ticket_used' });
    }
  });

  it.each([
    ['for another node', { aud: ticketAudience('node-2', 'i1') }, 'wrong_node'],
    ['for an earlier start', { aud: ticketAudience('node-1', 'i0') }, 'wrong_node'],
    ['of another cluster', { iss: 'staging' }, 'invalid_ticket'],
  ])('%s are refused', (_what, more, close) => {
    const counter = new Counter();
    expect(counter.tickets.take(counter.mint(more))).toMatchObject({ ok: false, close });
  });

  it('signed by who has not the key are refused', () => {
    const counter = new Counter();
    const foreign = KeyFamily.parse('RINGWAY_TICKET_KEYS', 'another-key-another-key-another-key-01');
    for (const token of [counter.mint({}, foreign), '', 'x.y.z', 'a'.repeat(10_000), `${counter.mint()}x`]) {
      expect(counter.tickets.take(token)).toMatchObject({ ok: false, close: 'invalid_ticket' });
    }
  });

  it('that were refused for another reason are not used up by it', () => {
    const counter = new Counter();
    const jti = 'the-same';
    counter.tickets.take(counter.mint({ jti, iss: 'staging' }));
    expect(counter.tickets.take(counter.mint({ jti }))).toMatchObject({ ok: true });
  });

  it('are remembered in bounded memory: beyond it none is taken, until some have expired', () => {
    const counter = new Counter(3);
    for (let i = 0; i < 3; i++) expect(counter.tickets.take(counter.mint())).toMatchObject({ ok: true });
    expect(counter.tickets.take(counter.mint())).toMatchObject({ ok: false, close: 'unavailable' });
    counter.wall += LIFE + TICKET_LEEWAY_SECONDS * 1_000 + 2_000;
    expect(counter.tickets.take(counter.mint())).toMatchObject({ ok: true });
  });

  it('are never taken twice, at whatever times they are shown and however the clock goes on', () => {
    const step = fc.record({
      pass: fc.oneof(fc.nat(2_000), fc.nat(40_000), fc.nat(4_000_000)),
      show: fc.nat(30),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const counter = new Counter();
        const made: string[] = [];
        const taken = new Set<string>();
        for (const { pass, show } of steps) {
          counter.wall += pass;
          made.push(counter.mint());
          // one of the last few, so that most are shown again while they could still be good
          const ticket = made[Math.max(0, made.length - 1 - show)] as string;
          const answer = counter.tickets.take(ticket);
          if (answer.ok) {
            expect(taken.has(ticket)).toBe(false);
            taken.add(ticket);
          } else if (answer.close === 'ticket_used') expect(taken.has(ticket)).toBe(true);
          else expect(answer.close).toBe('ticket_expired');
        }
      }),
    );
  });

  it('are not taken twice when the clock is set back', () => {
    const counter = new Counter();
    const ticket = counter.mint();
    counter.tickets.take(ticket);
    for (const [back, close] of [
      [1_000, 'ticket_used'],
      [60_000, 'ticket_expired'],
      [3_600_000, 'ticket_expired'],
    ] as const) {
      counter.wall -= back;
      expect(counter.tickets.take(ticket)).toMatchObject({ ok: false, close });
    }
  });
});
