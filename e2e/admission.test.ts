import { setInterval } from 'node:timers/promises';
import { CLOSE, type TicketClaims } from '@ringway/protocol';
import { KeyFamily, mintTicket } from '@ringway/service';
import { describe, expect, it } from 'vitest';
import { useStage } from './support/stage.ts';

const stage = useStage({ envOf: { 'node-3': { RINGWAY_MAX_SESSIONS: '2' } } });

/** A ticket for a new user of that node, good in every way, and where to show it. */
async function goodTicket(nodeId: string) {
  const { cluster } = stage();
  const { ticket, url } = await cluster.route(stage().userOn(nodeId));
  const claims = JSON.parse(Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString()) as TicketClaims;
  return { ticket, url, claims, door: url.slice(0, url.indexOf('?')) };
}

/** The close code that a ticket gets at a door. */
async function codeOf(door: string, ticket: string | undefined): Promise<number> {
  const socket = stage().socket(ticket === undefined ? door : `${door}?ticket=${ticket}`);
  const { code, reason } = await socket.closed;
  // the reason names the row of the table
  expect(CLOSE).toHaveProperty([reason, 'code'], code);
  expect(socket.texts).toEqual([]);
  return code;
}

function signed(claims: TicketClaims, key = stage().cluster.keys.ticket): string {
  return mintTicket(KeyFamily.parse('ticket', key), claims);
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);

describe('a ticket', () => {
  it('that is forged ends for good', async () => {
    const { ticket, claims, door } = await goodTicket('node-1');
    const [head, body, signature] = ticket.split('.');
    const { invalid_ticket } = CLOSE;
    expect(await codeOf(door, signed(claims, 'another-key-of-another-cluster-of-32-bytes'))).toBe(
      invalid_ticket.code,
    );
    expect(await codeOf(door, `${head}.${encode({ ...claims, sub: 'admin' })}.${signature}`)).toBe(
      invalid_ticket.code,
    );
    expect(await codeOf(door, signed({ ...claims, iss: 'staging' }))).toBe(invalid_ticket.code);
    expect(await codeOf(door, stage().cluster.callerToken('alice'))).toBe(invalid_ticket.code);
    expect(await codeOf(door, `${head}.${body}.`)).toBe(invalid_ticket.code);
    expect(await codeOf(door, 'nonsense')).toBe(invalid_ticket.code);
    expect(await codeOf(door, undefined)).toBe(invalid_ticket.code);
  });

  it.each(['none', 'None', 'HS512', 'RS256'])('with alg %s ends for good', async (alg) => {
    const { claims, door } = await goodTicket('node-1');
    const head = encode({ alg, typ: 'ringway-ticket+jwt' });
    for (const signature of ['', signed(claims).split('.')[2]]) {
      expect(await codeOf(door, `${head}.${encode(claims)}.${signature}`)).toBe(CLOSE.invalid_ticket.code);
    }
  });

  it('that has expired sends back to /route, within the leeway it is taken', async () => {
    const { claims, door } = await goodTicket('node-1');
    const late = signed({ ...claims, jti: 'late', exp: now() - 6 });
    expect(await codeOf(door, late)).toBe(CLOSE.ticket_expired.code);
    const justLate = signed({ ...claims, jti: 'just late', exp: now() - 2 });
    await stage().socket(`${door}?ticket=${justLate}`).frame('welcome');
  });

  it('that was used sends back to /route', async () => {
    const { url, ticket, door } = await goodTicket('node-1');
    await stage().socket(url).frame('welcome');
    expect(await codeOf(door, ticket)).toBe(CLOSE.ticket_used.code);
  });

  it('for another node sends back to /route', async () => {
    const { ticket } = await goodTicket('node-1');
    const { door } = await goodTicket('node-2');
    expect(await codeOf(door, ticket)).toBe(CLOSE.wrong_node.code);
  });

  it('for an earlier start of the same node sends back to /route', async () => {
    const { cluster } = stage();
    const { ticket, claims, door } = await goodTicket('node-2');
    const node = cluster.node('node-2');
    await node.kill();
    await node.start();
    expect(await codeOf(door, ticket)).toBe(CLOSE.wrong_node.code);
    await stage().settled();
    const fresh = await goodTicket('node-2');
    expect(fresh.claims.aud).not.toBe(claims.aud);
    await stage().socket(fresh.url).frame('welcome');
  });

  it('of a right that has ended asks for a new token', async () => {
    const { claims, door } = await goodTicket('node-1');
    const ended = signed({ ...claims, jti: 'ended', sexp: now() - 1 });
    expect(await codeOf(door, ended)).toBe(CLOSE.session_expired.code);
  });
});

describe('a node that is full', () => {
  it('says so, and the SDK goes to the next one, where messages find it', async () => {
    const full = stage().cluster.node('node-3');
    expect(await full.metric('ringway_sessions_limit')).toBe(2);
    await stage().session(stage().userOn('node-3'));
    await stage().session(stage().userOn('node-3'));
    const { door, ticket } = await goodTicket('node-3');
    expect(await codeOf(door, ticket)).toBe(CLOSE.node_full.code);

    const alice = await stage().person(stage().userOn('node-3', 'node-2'));
    expect(alice.nodeId).toBe('node-2');
    expect(await stage().cluster.node('node-2').metric('ringway_guest_channels')).toBe(1);
    expect(await full.metric('ringway_closes_total', { code: String(CLOSE.node_full.code) })).toBe(2);
    const bob = await stage().person(stage().userOn('node-1'));
    expect((await bob.tell(alice, 'found you')).reached).toBe(1);
    await alice.hears('found you');
    await alice.tell(bob, 'from a guest');
    await bob.hears('from a guest');
  });
});

describe('a session whose right ends', () => {
  it('renews it in time by a new token, without a break', async () => {
    let asked = 0;
    const user = stage().userOn('node-1');
    const alice = await stage().person(user, {
      sdk: {
        getToken: () => {
          asked++;
          return stage().cluster.callerToken(user, { expiresIn: asked === 1 ? 4 : 600 });
        },
      },
    });
    const { sessionId } = alice.client.session ?? {};
    const bob = await stage().person(stage().userOn('node-2'));
    const end = Date.now() + 5_000;
    let sent = 0;
    for await (const _ of setInterval(50)) {
      await bob.tell(alice, ++sent);
      // beyond the end of the first right
      if (Date.now() > end) break;
    }
    await alice.hears(sent);
    expect(alice.heard).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
    expect(asked).toBe(2);
    expect(alice.client.session?.sessionId).toBe(sessionId);
    expect(alice.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
  });
});
