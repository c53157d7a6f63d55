import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';

type LinkState = 'cut' | 'stalled';

/** Two ends of a connection that goes through, and who made it; `undefined` until its first request has said so. */
interface Passage {
  readonly near: Socket;
  readonly far: Socket;
  readonly to: string;
  from: string | undefined;
}

const END_OF_HEAD = '\r\n\r\n';
const LONGEST_HEAD = 16 * 1024;

/**
 * The network between the nodes of a cluster: each is reached by its peers through a front of its own, so that any two of
 * them can be parted while both hear everyone else. Who calls is read from the token of the call, which is why the
 * internal listeners must speak plain HTTP. What carries no token, such as Consul's health checks, always comes through.
 *
 * Network namespaces would do the same with true packets, but need root and a kernel that lets them: a proxy does it
 * anywhere. `cut` is a reset, which both ends see at once; `stall` holds every byte, as a pulled cable does.
 */
export class PeerNetwork implements AsyncDisposable {
  readonly #fronts = new Map<string, Server>();
  readonly #passages = new Set<Passage>();
  readonly #broken = new Map<string, LinkState>();

  /** Puts a front before a node's internal listener; gives the address by which its peers are to reach it. */
  async front(nodeId: string, port: number): Promise<string> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(nodeId, socket, port));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#fronts.set(nodeId, server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Resets every connection between the two, in both directions, and each new one until healed. */
  cut(one: string, other: string): void {
    this.#broken.set(pairOf(one, other), 'cut');
    for (const passage of this.#between(one, other)) passage.near.resetAndDestroy();
  }

  /** Holds every byte between the two; new connections are accepted, and held as well. */
  stall(one: string, other: string): void {
    this.#broken.set(pairOf(one, other), 'stalled');
    for (const { near, far } of this.#between(one, other)) {
      near.pause();
      far.pause();
    }
  }

  /** Lets through again what comes, and what was held. */
  heal(one: string, other: string): void {
    this.#broken.delete(pairOf(one, other));
    for (const { near, far } of this.#between(one, other)) {
      near.resume();
      far.resume();
    }
  }

  /** Connections between the two that stand now. */
  connections(one: string, other: string): number {
    return this.#between(one, other).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [...this.#fronts.values()].map(async (server) => {
      const done = once(server, 'close');
      server.close();
      await done;
    });
    for (const { near, far } of this.#passages) {
      near.destroy();
      far.destroy();
    }
    await Promise.all(closed);
  }

  #between(one: string, other: string): Passage[] {
    const pair = pairOf(one, other);
    return [...this.#passages].filter(({ from, to }) => from !== undefined && pairOf(from, to) === pair);
  }

  #accept(to: string, near: Socket, port: number): void {
    const far = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true });
    const passage: Passage = { near, far, to, from: undefined };
    this.#passages.add(passage);
    near.once('close', () => this.#passages.delete(passage));
    this.#tie(near, far);
    this.#tie(far, near);
    this.#forward(far, near, passage);
    let head = Buffer.alloc(0);
    const read = (bytes: Buffer): void => {
      head = Buffer.concat([head, bytes]);
      const text = head.toString('latin1');
      if (!text.includes(END_OF_HEAD) && head.length < LONGEST_HEAD) return;
      near.off('data', read);
      passage.from = callerOf(text);
      const state = passage.from === undefined ? undefined : this.#broken.get(pairOf(passage.from, to));
      if (state === 'cut') {
        near.resetAndDestroy();
        return;
      }
      this.#forward(near, far, passage);
      if (state === 'stalled') {
        near.pause();
        far.pause();
        near.unshift(head);
      } else far.write(head);
    };
    near.on('data', read);
  }

  /** One end goes as the other does. */
  #tie(from: Socket, to: Socket): void {
    from.setNoDelay(true);
    from.on('end', () => to.end());
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => to.destroy());
  }

  #forward(from: Socket, to: Socket, passage: Passage): void {
    from.on('data', (bytes) => {
      if (to.write(bytes)) return;
      from.pause();
      to.once('drain', () => {
        const state =
          passage.from === undefined ? undefined : this.#broken.get(pairOf(passage.from, passage.to));
        if (state !== 'stalled') from.resume();
      });
    });
  }
}

function pairOf(one: string, other: string): string {
  return [one, other].sort().join(' ');
}

/** `sub` of the token that a request brings; undefined where it brings none. Nothing is verified here. */
function callerOf(head: string): string | undefined {
  const payload = /^authorization: *Bearer [^.\s]+\.([^.\s]+)\./im.exec(head)?.[1];
  if (payload === undefined) return undefined;
  const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub?: unknown };
  return typeof sub === 'string' ? sub : undefined;
}
