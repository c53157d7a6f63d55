import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HTTP, userChannel } from '@ringway/protocol';
import { type PresenceChange, type PushRing, type RingSource, RingwayPush } from '@ringway/push';
import { buildRing } from '@ringway/ring';
import { waitFor } from '@ringway/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KEYS } from './fake-cluster.ts';

const DEBOUNCE = 300;

/** A node that says of users what the test has it say. */
class PresenceNode implements AsyncDisposable {
  readonly id: string;
  url = '';
  /** Whom it tells as online at the beginning of a stream. */
  readonly online = new Set<string>();
  /** Instead of a stream. */
  refusal: { readonly status: number; readonly code: string } | undefined;
  /** What it says when it is asked; an error for whoever is in neither. */
  readonly answers = new Map<string, boolean>();
  readonly asked: { readonly users: readonly string[]; readonly debounced: boolean }[] = [];
  readonly queries: string[] = [];
  readonly #streams = new Set<ServerResponse>();
  readonly #server: Server;

  constructor(id: string) {
    this.id = id;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async start(): Promise<this> {
    const port = this.url === '' ? 0 : Number(new URL(this.url).port);
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  get streams(): number {
    return this.#streams.size;
  }

  say(userId: string, online: boolean): void {
    if (online) this.online.add(userId);
    else this.online.delete(userId);
    for (const stream of this.#streams) stream.write(event('state', { userId, online }));
  }

  /** Its streams break, and new ones come to nothing while it is down. */
  async kill(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  breakStreams(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.kill();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path, query = ''] = (request.url ?? '').split('?');
    if (path === HTTP.presenceEvents) {
      this.queries.push(query);
      if (this.refusal) {
        const { status, code } = this.refusal;
        response.writeHead(status).end(JSON.stringify({ code, detail: 'as told' }));
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      this.#streams.add(response);
      response.on('close', () => this.#streams.delete(response));
      for (const userId of this.online)
        response.write(event('state', { userId, online: true, snapshot: true }));
      response.write(event('synced', { nodeId: this.id }));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { users: string[]; debounced: boolean };
    this.asked.push(body);
    const users = body.users.map((userId) => {
      const online = this.answers.get(userId);
      if (online === undefined) return { userId, error: { code: 'unavailable', message: 'as told' } };
      return { userId, online, sessions: online ? 1 : 0, nodes: [] };
    });
    response.end(JSON.stringify({ users }));
  }
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Two nodes, a ring of them that the test changes, and what a watch of it has told. */
class Bench implements RingSource {
  readonly nodes: readonly PresenceNode[];
  readonly told: PresenceChange[] = [];
  readonly push: RingwayPush;
  #ring: PushRing | undefined;

  static async start(...ids: string[]): Promise<Bench> {
    const nodes = await Promise.all(ids.map((id) => new PresenceNode(id).start()));
    const bench = new Bench(nodes);
    onTestFinished(async () => {
      await bench.push.close();
      for (const node of nodes) await node[Symbol.asyncDispose]();
    });
    return bench;
  }

  private constructor(nodes: readonly PresenceNode[]) {
    this.nodes = nodes;
    this.setRing(...nodes.map(({ id }) => id));
    this.push = new RingwayPush({ source: this, name: 'test', clusterKeys: KEYS, attemptTimeoutMs: 500 });
  }

  setRing(...ids: string[]): void {
    const members = this.nodes
      .filter(({ id }) => ids.includes(id))
      .map(({ id, url }) => ({ id, weight: 1, internalUrl: url }));
    const ring = buildRing(members);
    const { checksum } = ring.version;
    this.#ring = { index: '1', checksum, size: ring.size, owners: (key, n) => ring.owners(key, n) };
  }

  userOn(id: string, prefix = 'user'): string {
    for (let i = 0; ; i++)
      if (this.#ring?.owners(userChannel(`${prefix}-${i}`), 1)[0]?.id === id) return `${prefix}-${i}`;
  }

  watch(users?: readonly string[]) {
    return this.push.watchPresence({ ...(users && { users }), debounceMs: DEBOUNCE }, (change) =>
      this.told.push(change),
    );
  }

  of(userId: string): string {
    return this.told
      .filter((one) => one.userId === userId)
      .map(({ online }) => (online ? '+' : '-'))
      .join('');
  }

  until(condition: () => boolean, message: string): Promise<unknown> {
    return waitFor(condition, { message });
  }

  start(): void {}
  current(): PushRing | undefined {
    return this.#ring;
  }
  problem(): undefined {}
  refresh(): Promise<void> {
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe('a watch of presence', () => {
  it('tells who is online when it begins, and then each change once, whoever says it', async () => {
    const bench = await Bench.start('a', 'b');
    const [a, b] = bench.nodes as [PresenceNode, PresenceNode];
    const [early, late] = [bench.userOn('a', 'early'), bench.userOn('b', 'late')];
    a.online.add(early);
    const watch = bench.watch();
    await watch.ready;
    expect(bench.told).toEqual([{ userId: early, online: true, initial: true }]);
    b.say(late, true);
    // it says it again, and so does another who takes itself for the home for a moment
    b.say(late, true);
    a.say(late, true);
    b.say(late, false);
    b.say(late, false);
    await bench.until(() => bench.of(late).length === 2, 'the one to have come and gone');
    b.say(late, true);
    await bench.until(() => bench.of(late) === '+-+', 'the one to have come again');
    expect(bench.told.at(-1)).toEqual({ userId: late, online: true, initial: false });
    expect(bench.of(early)).toBe('+');
    await watch.close();
    await bench.until(() => a.streams + b.streams === 0, 'the streams to end');
    b.say(late, false);
    expect(bench.of(late)).toBe('+-+');
  });

  it('asks, after the debounce, of those whom the end of a stream leaves in doubt, until it knows', async () => {
    const bench = await Bench.start('a', 'b');
    const [a, b] = bench.nodes as [PresenceNode, PresenceNode];
    const [gone, back, home] = [
      bench.userOn('a', 'gone'),
      bench.userOn('a', 'back'),
      bench.userOn('b', 'home'),
    ];
    for (const userId of [gone, back]) a.online.add(userId);
    b.online.add(home);
    await bench.watch().ready;
    const began = performance.now();
    await a.kill();
    // its successor does not know at first, and has one of them back
    b.say(back, true);
    await bench.until(() => b.asked.length >= 2, 'it to be asked again');
    expect(performance.now() - began).toBeGreaterThanOrEqual(2 * DEBOUNCE);
    expect(bench.of(gone)).toBe('+');
    for (const { users, debounced } of b.asked) expect([users, debounced]).toEqual([[gone], true]);
    b.answers.set(gone, false);
    await bench.until(() => bench.of(gone) === '+-', 'the one to have gone');
    const { length } = b.asked;
    b.say(home, false);
    await bench.until(() => bench.of(home) === '+-', 'another to go');
    expect([bench.of(back), bench.of(gone), b.asked.length]).toEqual(['+', '+-', length]);
  });

  it('says nothing of those whom a stream tells again when it is back, and hears of the others by asking', async () => {
    const bench = await Bench.start('a');
    const [a] = bench.nodes as [PresenceNode];
    for (const userId of ['stays', 'goes']) a.online.add(userId);
    await bench.watch().ready;
    a.online.delete('goes');
    a.online.add('comes');
    a.answers.set('goes', false);
    a.breakStreams();
    await bench.until(() => bench.of('goes') === '+-', 'the one to have gone');
    expect([bench.of('stays'), bench.of('comes')]).toEqual(['+', '+']);
    expect(a.asked.flatMap(({ users }) => users)).toEqual(['goes']);
  });

  it('asks of those whose home is another by the ring, and believes the new one from then on', async () => {
    const bench = await Bench.start('a', 'b');
    const [a, b] = bench.nodes as [PresenceNode, PresenceNode];
    bench.setRing('a');
    for (let i = 0; i < 20; i++) a.online.add(`user-${i}`);
    await bench.watch().ready;
    for (const userId of a.online) b.answers.set(userId, true);
    bench.setRing('a', 'b');
    const moved = [...a.online].filter(
      (userId) => bench.current()?.owners(userChannel(userId), 1)[0]?.id === 'b',
    );
    await bench.until(() => b.asked.length > 0, 'the new home to be asked');
    expect(b.asked.flatMap(({ users }) => users).sort()).toEqual([...moved].sort());
    await bench.until(() => b.streams === 1, 'the stream of the new home');
    const [one] = moved as [string];
    b.say(one, false);
    await bench.until(() => bench.of(one) === '+-', 'one to go');
    // who leaves the ring is followed no more
    bench.setRing('b');
    await bench.until(() => a.streams === 0, 'the stream of the former home to end');
    for (const userId of a.online) if (userId !== one) expect(bench.of(userId)).toBe('+');
  });

  it('of a few users names them to the nodes, of many it sorts them out itself', async () => {
    const bench = await Bench.start('a');
    const [a] = bench.nodes as [PresenceNode];
    a.online.add('somebody');
    a.online.add('user-7');
    await bench.watch(['user 7', 'b&c']).ready;
    expect(a.queries).toEqual(['userId=user%207&userId=b%26c']);
    await bench.watch(Array.from({ length: 101 }, (_, i) => `user-${i}`)).ready;
    expect(a.queries.at(-1)).toBe('');
    expect(bench.told.map(({ userId }) => userId)).toEqual(['user-7']);
  });

  it('tells of users whatever is in their ids', async () => {
    const bench = await Bench.start('a');
    const [a] = bench.nodes as [PresenceNode];
    const odd = ['line\u2028', 'paragraph\u2029', '"\\', '\u{1f600}', 'a: b'];
    a.online.add('line\u2028');
    await bench.watch().ready;
    for (const userId of odd) a.say(userId, true);
    a.say('last', true);
    await bench.until(() => bench.of('last') === '+', 'the last to have come');
    expect(bench.told.map(({ userId }) => userId)).toEqual([...odd, 'last']);
  });

  it('that has begun outlasts a refusal for good: who refuses may be a stranger at the address of a node', async () => {
    const bench = await Bench.start('a', 'b');
    const [a, b] = bench.nodes as [PresenceNode, PresenceNode];
    await bench.watch().ready;
    a.refusal = { status: 404, code: 'not_found' };
    a.breakStreams();
    await bench.until(() => a.queries.length >= 3, 'the stream to be asked for again');
    b.say('bob', true);
    await bench.until(() => bench.of('bob') === '+', 'another node to be heard');
    a.refusal = undefined;
    a.online.add('alice');
    await bench.until(() => bench.of('alice') === '+', 'the stream to be there again');
  });

  it('is ended by a refusal for good, and says why', async () => {
    const bench = await Bench.start('a');
    const [a] = bench.nodes as [PresenceNode];
    a.refusal = { status: 404, code: 'not_found' };
    await expect(bench.watch().ready).rejects.toMatchObject({ code: 'not_found' });
    // for the moment is another matter
    a.refusal = { status: 503, code: 'overloaded' };
    a.online.add('alice');
    await bench.watch().ready;
    a.refusal = undefined;
    await bench.until(() => bench.of('alice') === '+', 'the stream to be opened after all');
    expect(() => bench.watch([''])).toThrow(/userId/);
    await bench.push.close();
    expect(() => bench.watch()).toThrow(/closed/);
  });
});
