import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';

/** Where a proxy leads. */
export interface ProxyTarget {
  readonly host?: string;
  readonly port: number;
}

/** Starts a proxy on 127.0.0.1, on the given port or a free one. */
export async function startTcpProxy(target: ProxyTarget, port = 0): Promise<TcpProxy> {
  const server = createServer({ allowHalfOpen: true });
  const proxy = new TcpProxy(server, target);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return proxy;
}

/**
 * A link between two processes that a test can break, in the two ways networks do: `cut` is seen at once by both ends
 * (reset), `stall` by nobody (bytes are held, sockets stay open). A stalled byte is delivered after `heal`, in order.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: Required<ProxyTarget>;
  readonly #sockets = new Set<Socket>();
  #state: 'open' | 'stalled' | 'cut' = 'open';

  constructor(server: Server, target: ProxyTarget) {
    this.#server = server;
    this.#target = { host: '127.0.0.1', ...target };
    server.on('connection', (socket) => this.#accept(socket));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that stand now. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  get state(): 'open' | 'stalled' | 'cut' {
    return this.#state;
  }

  /** Resets every connection, and each new one until healed. */
  cut(): void {
    this.#state = 'cut';
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Holds every byte, in both directions; new connections are accepted, and held as well. */
  stall(): void {
    this.#state = 'stalled';
    for (const socket of this.#sockets) socket.pause();
  }

  /** Lets through again what comes and what was held. */
  heal(): void {
    this.#state = 'open';
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(near: Socket): void {
    if (this.#state === 'cut') {
      near.on('error', ignore);
      near.resetAndDestroy();
      return;
    }
    const far = createConnection({ ...this.#target, allowHalfOpen: true });
    this.#join(near, far);
    this.#join(far, near);
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (bytes) => {
      if (to.write(bytes)) return;
      from.pause();
      to.once('drain', () => {
        if (this.#state === 'open') from.resume();
      });
    });
    from.on('end', () => to.end());
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    if (this.#state === 'stalled') from.pause();
  }
}

/** A reset is what the other end asked for. */
function ignore(): void {}
