import { createHmac } from 'node:crypto';
import { CLOSE, type CloseName, type TicketClaims } from '@ringway/protocol';
import { KeyFamily, mintTicket } from '@ringway/service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import type { TestClient } from './support/client.ts';
import { clusterKeys, metric, metrics, TestCluster, ticketKeys, waitFor } from './support/cluster.ts';

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A token made by hand, so that its header can be wrong. */
function handMade(header: object, claims: object, secret = 'ticket-key-ticket-key-ticket-key-0001'): string {
  const input = `${base64url(header)}.${base64url(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function claimsOf(ticket: string): TicketClaims {
  return JSON.parse(Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString()) as TicketClaims;
}

async function closesWith(client: TestClient, name: CloseName): Promise<void> {
  expect(await client.closed).toEqual({ code: CLOSE[name].code, reason: name });
  expect(client.frames.filter(({ type }) => type === 'welcome')).toEqual([]);
}

describe('a wrong ticket is told by close code', () => {
  let cluster: TestCluster;
  let node: Node;
  beforeAll(async () => {
    cluster = await TestCluster.start(2);
    node = cluster.node('node-1');
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  const good = () => cluster.ticket('alice', node);
  const foreign = KeyFamily.parse('RINGWAY_TICKET_KEYS', 'another-key-another-key-another-key-01');
  const typ = 'ringway-ticket+jwt';

  const terminal: [string, () => string][] = [
    ['signed with another key', () => mintTicket(foreign, claimsOf(good()))],
    ['signed with the cluster key', () => mintTicket(clusterKeys, claimsOf(good()))],
    [
      'with claims that were changed',
      () => good().replace(/\.[^.]+\./, `.${base64url({ ...claimsOf(good()), sub: 'eve' })}.`),
    ],
    ['of algorithm none', () => `${base64url({ alg: 'none', typ })}.${base64url(claimsOf(good()))}.`],
    ['of algorithm none, signed all the same', () => handMade({ alg: 'none', typ }, claimsOf(good()))],
    ['of another algorithm', () => handMade({ alg: 'HS512', typ }, claimsOf(good()))],
    ['of another type', () => handMade({ alg: 'HS256', typ: 'ringway-cluster+jwt' }, claimsOf(good()))],
    ['of no type', () => handMade({ alg: 'HS256' }, claimsOf(good()))],
    ['of another cluster', () => cluster.ticket('alice', node, { iss: 'staging' })],
    ['without a user', () => handMade({ alg: 'HS256', typ }, { ...claimsOf(good()), sub: undefined })],
    ['that is no token', () => 'abc'],
    ['that is empty', () => ''],
  ];
  it.each(terminal)('%s: terminal', async (_what, ticket) => {
    await closesWith(cluster.open(node, ticket()), 'invalid_ticket');
  });

  it('missing: terminal', async () => {
    await closesWith(cluster.openUrl(`${node.addresses.publicUrl}/ws`), 'invalid_ticket');
  });

  const again: [string, CloseName, () => string][] = [
    [
      'expired beyond the leeway',
      'ticket_expired',
      () => cluster.ticket('alice', node, { exp: Math.floor(Date.now() / 1000) - 6 }),
    ],
    ['for another node', 'wrong_node', () => cluster.ticket('alice', cluster.node('node-2'))],
    [
      'for an earlier start of this node',
      'wrong_node',
      () => cluster.ticket('alice', node, { aud: 'node-1/an-earlier-start' }),
    ],
    [
      'of a right that has ended',
      'session_expired',
      () => cluster.ticket('alice', node, { sexp: Math.floor(Date.now() / 1000) - 1 }),
    ],
  ];
  it.each(again)('%s: ask again (%s)', async (_what, name, ticket) => {
    await closesWith(cluster.open(node, ticket()), name);
  });

  it('used twice: the first session stands, the second is sent to ask again', async () => {
    const ticket = good();
    const first = cluster.open(node, ticket);
    await first.next('welcome');
    await closesWith(cluster.open(node, ticket), 'ticket_used');
    first.send({ type: 'ping' });
    await first.next('pong');
  });

  it('used twice at once: one of the two stands', async () => {
    const ticket = good();
    const clients = [cluster.open(node, ticket), cluster.open(node, ticket)];
    await waitFor(
      () =>
        clients.some((client) => client.socket.readyState === 3) &&
        clients.some((c) => c.all('welcome').length),
      'one welcome and one close',
    );
    expect(clients.filter((client) => client.all('welcome').length === 1)).toHaveLength(1);
    const loser = clients.find((client) => client.all('welcome').length === 0);
    expect((await loser?.closed)?.code).toBe(CLOSE.ticket_used.code);
  });

  it('expired within the leeway is taken', async () => {
    const client = cluster.open(
      node,
      cluster.ticket('alice', node, { exp: Math.floor(Date.now() / 1000) - 2 }),
    );
    await client.next('welcome');
  });

  it('of another ring is taken: who has a valid one is let in', async () => {
    const client = cluster.open(
      node,
      cluster.ticket('alice', node, { ring: { index: '999', checksum: 'another' } }),
    );
    await client.next('welcome');
  });

  it('is counted by its code, and never shows a frame', async () => {
    const before = await metrics(node);
    const count = (text: string) => {
      const line = text.split('\n').find((one) => one.startsWith('ringway_closes_total{code="4400"}'));
      return Number(line?.split(' ')[1] ?? 0);
    };
    await closesWith(cluster.open(node, 'nothing'), 'invalid_ticket');
    const after = await metrics(node);
    expect(count(after)).toBe(count(before) + 1);
    expect(metric(after, 'ringway_sessions_limit')).toBe(50_000);
  });

  it('says welcome first, and what the session has to know', async () => {
    const sexp = Math.floor(Date.now() / 1000) + 3_600;
    const client = cluster.open(node, cluster.ticket('zoë', node, { sexp }));
    const welcome = await client.next('welcome');
    expect(client.frames[0]).toBe(welcome);
    expect(welcome).toMatchObject({
      protocol: 1,
      nodeId: 'node-1',
      userId: 'zoë',
      channel: 'user:zoë',
      position: { seq: 0 },
      ping: { intervalMs: 25_000, timeoutMs: 10_000 },
      limits: { frameBytes: 65_536, publishesPerSecond: 100 },
      expiresAt: sexp * 1_000,
    });
    expect(client.socket.protocol).toBe('ringway.v1');
  });
});

describe('the right to a session', () => {
  let cluster: TestCluster;
  let node: Node;
  beforeAll(async () => {
    cluster = await TestCluster.start(1, { RINGWAY_EXPIRING_NOTICE: '1000' });
    node = cluster.node('node-1');
  });
  afterAll(() => cluster[Symbol.asyncDispose]());
  const seconds = () => Math.floor(Date.now() / 1000);

  it('ends with a word before, and a close that asks for a new token', async () => {
    const sexp = seconds() + 3;
    const client = await cluster.connect('alice', node, { sexp });
    const expiring = await client.next('expiring');
    expect(expiring.expiresAt).toBe(sexp * 1_000);
    expect(expiring.expiresIn).toBeGreaterThan(0);
    expect(expiring.expiresIn).toBeLessThanOrEqual(3_000);
    expect(await client.closed).toEqual({ code: CLOSE.session_expired.code, reason: 'session_expired' });
    expect(Date.now()).toBeGreaterThanOrEqual(sexp * 1_000);
  });

  it('goes on with a new ticket, and what that one allows', async () => {
    const client = await cluster.connect('alice', node, {
      sexp: seconds() + 3,
      cap: { publish: [], join: [], presence: [] },
    });
    client.send({ type: 'publish', to: 'user:alice', id: 'no', data: 1 });
    expect(await client.next('error')).toMatchObject({ id: 'no', code: 'forbidden' });
    await client.next('expiring');
    const sexp = seconds() + 60;
    client.send({ type: 'refresh', ticket: cluster.ticket('alice', node, { sexp }) });
    expect(await client.next('refreshed')).toEqual({ type: 'refreshed', expiresAt: sexp * 1_000 });
    client.send({ type: 'publish', to: 'user:alice', id: 'yes', data: 1 });
    expect(await client.next('published')).toMatchObject({ id: 'yes' });
  });

  it('goes on without end with a ticket that names none', async () => {
    const client = await cluster.connect('alice', node, { sexp: seconds() + 30 });
    client.send({ type: 'refresh', ticket: cluster.ticket('alice', node) });
    expect(await client.next('refreshed')).toEqual({ type: 'refreshed' });
  });

  it('with a smaller right ends the groups that it does not cover any more, and no other', async () => {
    const client = await cluster.connect('alice', node);
    for (const channel of ['group:a', 'group:b']) {
      client.send({ type: 'join', channel });
      await client.next('joined');
    }
    const cap = { publish: [], join: ['group:a'], presence: [] };
    client.send({ type: 'refresh', ticket: cluster.ticket('alice', node, { cap }) });
    await client.next('refreshed');
    expect(await client.next('left')).toEqual({ type: 'left', channel: 'group:b' });
    const speaker = await cluster.connect('speaker', node);
    for (const to of ['group:b', 'group:a']) speaker.send({ type: 'publish', to, id: `to ${to}`, data: to });
    await speaker.next('published');
    expect((await client.next('message')).data).toBe('group:a');
  });

  it('is not renewed by a bad, used or foreign ticket, and the session lives on', async () => {
    const client = await cluster.connect('alice', node);
    const used = cluster.ticket('alice', node);
    client.send({ type: 'refresh', ticket: used });
    await client.next('refreshed');
    const refused: [Record<string, unknown>, string][] = [
      [{ ticket: used }, 'unauthenticated'],
      [{ ticket: 'nonsense' }, 'unauthenticated'],
      [
        { ticket: mintTicket(ticketKeys, { ...claimsOf(used), jti: 'x', exp: seconds() - 60 }) },
        'unauthenticated',
      ],
      [{ ticket: cluster.ticket('bob', node) }, 'forbidden'],
      [{ ticket: 7 }, 'bad_frame'],
      [{}, 'bad_frame'],
    ];
    for (const [frame, code] of refused) {
      client.send({ type: 'refresh', ...frame });
      expect(await client.next('error')).toMatchObject({ code });
    }
    client.send({ type: 'ping' });
    await client.next('pong');
  });

  it('is not renewed by a ticket whose own right has ended', async () => {
    const client = await cluster.connect('alice', node);
    client.send({ type: 'refresh', ticket: cluster.ticket('alice', node, { sexp: seconds() - 5 }) });
    expect(await client.next('error')).toMatchObject({ code: 'unauthenticated' });
    client.send({ type: 'ping' });
    await client.next('pong');
  });
});
