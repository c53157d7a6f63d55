import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PublishAnswer, PublishRequest, RingDocument } from '@ringway/protocol';
import { buildRing, RING_FORMAT } from '@ringway/ring';
import { KeyFamily, verifyClusterToken } from '@ringway/service';

export const KEYS = 'a-cluster-key-for-tests-of-32-bytes!';
const family = KeyFamily.parse('test', KEYS);

/** What a test lets a node do with a request: answer the elements, answer otherwise, or stay silent. */
export type Behaviour = (
  elements: readonly PublishRequest[],
  request: IncomingMessage,
) => readonly PublishAnswer[] | { readonly status: number; readonly body: unknown } | 'silence' | 'hang up';

/** The HTTP face of a node, told by each test what to answer: the faults under test are ones of the wire. */
export class FakeNode implements AsyncDisposable {
  readonly id: string;
  url = '';
  readonly requests: {
    readonly path: string;
    readonly text: string;
    readonly elements: readonly PublishRequest[];
  }[] = [];
  readonly #seqs = new Map<string, number>();
  readonly #server: Server;
  behaviour: Behaviour = (elements) => elements.map((element) => this.store(element));

  private constructor(id: string) {
    this.id = id;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(id: string): Promise<FakeNode> {
    const node = new FakeNode(id);
    await new Promise<void>((resolve) => node.#server.listen(0, '127.0.0.1', resolve));
    node.url = `http://127.0.0.1:${(node.#server.address() as AddressInfo).port}`;
    return node;
  }

  get elements(): readonly PublishRequest[] {
    return this.requests.flatMap(({ elements }) => elements);
  }

  store(element: PublishRequest): PublishAnswer {
    const { to } = element;
    const id = element.id ?? '';
    if (typeof to === 'string') return { id, reached: 1, position: this.#next(to) };
    const results = to.users.map((user) => ({
      to: `user:${user}`,
      reached: 1,
      position: this.#next(`user:${user}`),
    }));
    return { id, reached: results.length, results };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #next(channel: string): { readonly epoch: string; readonly seq: number } {
    const seq = (this.#seqs.get(channel) ?? 0) + 1;
    this.#seqs.set(channel, seq);
    return { epoch: this.id, seq };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Consul asks: who does not answer is critical before a slow reader has seen it
    if (request.url === '/healthz') return void response.end('{"status":"ok"}');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    const expected = { now: Date.now(), issuer: 'ringway', audience: this.id, scopes: ['push'] as const };
    const verified = verifyClusterToken(family, token, expected);
    if (!verified.ok) {
      send(response, 401, { code: 'unauthenticated', detail: verified.reason });
      return;
    }
    const text = Buffer.concat(chunks).toString();
    const elements = text === '' ? [] : (JSON.parse(text) as PublishRequest[]);
    this.requests.push({ path: request.url ?? '', text, elements });
    const answer = this.behaviour(elements, request);
    if (answer === 'silence') return;
    if (answer === 'hang up') request.socket.destroy();
    else if ('status' in answer) send(response, answer.status, answer.body);
    else send(response, 200, answer);
  }
}

/** The `/ring` of a locator over some nodes; a change of `members` answers the waiting long polls. */
export class FakeLocator implements AsyncDisposable {
  readonly #server: Server;
  #members: readonly FakeNode[];
  #index = 1;
  #waiting: (() => void)[] = [];

  private constructor(members: readonly FakeNode[]) {
    this.#members = members;
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  static async start(members: readonly FakeNode[]): Promise<FakeLocator> {
    const locator = new FakeLocator(members);
    await new Promise<void>((resolve) => locator.#server.listen(0, '127.0.0.1', resolve));
    return locator;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  set members(members: readonly FakeNode[]) {
    this.#members = members;
    this.#index++;
    for (const answer of this.#waiting.splice(0)) answer();
  }

  /** The node that the ring gives a channel, and the one after it. */
  owners(channel: string): FakeNode[] {
    const ring = buildRing(this.#members.map((node) => ({ id: node.id, weight: 1, node })));
    return ring.owners(channel, 2).map(({ node }) => node);
  }

  document(): RingDocument {
    const members = this.#members.map((node) => ({
      id: node.id,
      incarnation: 'i1',
      publicUrl: 'ws://127.0.0.1:1/ws',
      internalUrl: node.url,
      weight: 1,
      state: 'up',
    }));
    const { checksum } = buildRing(members).version;
    return { index: String(this.#index), checksum, format: RING_FORMAT, members };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://locator');
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    const expected = { now: Date.now(), issuer: 'ringway', audience: 'locator', scopes: ['push'] as const };
    const verified = verifyClusterToken(family, token, expected);
    if (!verified.ok) send(response, 401, { code: 'unauthenticated', detail: verified.reason });
    else if (url.searchParams.get('index') === String(this.#index)) {
      this.#waiting.push(() => send(response, 200, this.document()));
    } else send(response, 200, this.document());
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': status === 200 ? 'application/json' : 'application/problem+json',
  });
  response.end(JSON.stringify(body));
}
