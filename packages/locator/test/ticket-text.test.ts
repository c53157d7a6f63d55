import { isUserId, type TicketClaims } from '@ringway/protocol';
import { signCompact, TICKET_TYPE, verifyTicket } from '@ringway/service';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quote, ticketHead, ticketJson } from '../src/ticket-text.ts';
import { member, ticketKeys } from './support.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 80 });

test('quote is JSON’s', () => {
  fc.assert(
    fc.property(fc.oneof(anyText, fc.string()), (text) => {
      expect(JSON.parse(quote(text))).toBe(text);
    }),
  );
  for (const text of ['"', '\\', '\n', '\u2028', '\ud800', 'a\n']) expect(JSON.parse(quote(text))).toBe(text);
});

test('what is written by hand is read as the claims that were meant', () => {
  const pattern = fc.string({ minLength: 1, maxLength: 20 }).map((text) => text.replaceAll('*', ''));
  const patterns = fc.array(
    pattern.filter((text) => text !== ''),
    { maxLength: 5 },
  );
  const cap = fc.record({ publish: patterns, join: patterns, presence: patterns });
  const keys = ticketKeys();
  const one = member('node-1');
  const ring = { index: '146', checksum: '9f0123456789abcd' };
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 40 }).filter(isUserId),
      cap,
      fc.option(fc.nat(), { nil: undefined }),
      fc.option(fc.array(anyText, { minLength: 1, maxLength: 4 }), { nil: undefined }),
      (sub, may, sexp, avoid) => {
        const text = ticketJson(ticketHead('ringway', one, ring), {
          sub,
          exp: 1000,
          jti: 'j',
          sexp,
          cap: may,
          avoid,
        });
        const want: TicketClaims = {
          iss: 'ringway',
          sub,
          aud: 'node-1/node-1-1',
          exp: 1000,
          jti: 'j',
          ...(sexp === undefined ? {} : { sexp }),
          ring,
          cap: may,
          ...(avoid === undefined ? {} : { via: 'avoid', avoid }),
        };
        const expected = { now: 990_000, issuer: 'ringway', audience: 'node-1/node-1-1' };
        expect(verifyTicket(keys, signCompact(keys, TICKET_TYPE, text), expected)).toEqual({
          ok: true,
          claims: want,
        });
      },
    ),
  );
});
