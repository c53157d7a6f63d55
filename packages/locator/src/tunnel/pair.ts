import type { RawData, WebSocket } from 'ws';

export interface PairOptions {
  /** Open. */
  readonly client: WebSocket;
  /** About to be opened. */
  readonly node: WebSocket;
  /** Where a client that is told to move opens its next socket, with that ticket. */
  readonly moveUrl: (ticket: string) => string;
  /** The node was reached, or not. Called once. */
  readonly opened: (well: boolean) => void;
  readonly ended: () => void;
}

/** Bytes that may wait for one side before the other is no longer read. */
const HIGH_WATER_BYTES = 64 * 1024;
/** A side that takes nothing for so long is given up: the node may be gone meanwhile, which is not read either. */
const STALL_MS = 30_000;
/** How long the answer to a close is waited for. */
const GOODBYE_MS = 2_000;
/** "Bad gateway" in the registry of close codes. Below 4000: the SDK leaves the node out of its next question. */
const UNREACHABLE = 1014;
const MOVE = Buffer.from('{"type":"move"');

/**
 * One carried session: frames, pings and close codes from each side to the other, as they are and in their order, with
 * no more waiting than the bound and the frame in hand.
 *
 * But for one frame: `move` names a node's own URL, which this client cannot reach. It is given the same ticket at
 * the locator's URL instead, and then does what every client does: opens the new socket, resumes, closes the old one.
 * The overlap stays where positions are known, and the locator keeps nothing of a session.
 */
export class Pair {
  readonly #options: PairOptions;
  #ended = false;
  #stall: NodeJS.Timeout | undefined;

  constructor(options: PairOptions) {
    this.#options = options;
    const { client, node, opened } = options;
    client.pause();
    let reached = false;
    node.once('open', () => {
      reached = true;
      opened(true);
      if (this.#ended) node.terminate();
      else client.resume();
    });
    node.on('error', () => {
      // A close follows.
    });
    client.on('error', () => {
      // A close follows: 1006, or 1009 for a frame that is too big.
    });
    this.#carry(client, node, (data) => data);
    this.#carry(node, client, (data, binary) => (binary ? data : this.#rewritten(data)));
    node.once('close', (code, reason) => {
      if (!reached) opened(false);
      this.#end(client, reached ? code : UNREACHABLE, reached ? reason : 'unreachable');
    });
    client.once('close', (code, reason) => this.#end(node, code, reason));
  }

  /** Ends both sides: the client with this code. */
  close(code: number, reason: string): void {
    const { client, node } = this.#options;
    this.#end(client, code, reason);
    node.close(1001);
    endSoon(node);
  }

  #carry(from: WebSocket, to: WebSocket, change: (data: RawData, binary: boolean) => RawData | string): void {
    from.on('message', (data, binary) => {
      if (to.readyState !== to.OPEN) return;
      to.send(change(data, binary), { binary }, () => {
        if (from.isPaused && to.bufferedAmount < HIGH_WATER_BYTES / 2) this.#flow(from);
      });
      if (to.bufferedAmount > HIGH_WATER_BYTES && !from.isPaused) this.#hold(from);
    });
    from.on('ping', (data) => {
      if (to.readyState === to.OPEN) to.ping(data);
    });
    from.on('pong', (data) => {
      if (to.readyState === to.OPEN) to.pong(data);
    });
  }

  #hold(from: WebSocket): void {
    from.pause();
    this.#stall ??= setTimeout(() => {
      this.#options.client.terminate();
      this.#options.node.terminate();
    }, STALL_MS);
  }

  #flow(from: WebSocket): void {
    from.resume();
    const { client, node } = this.#options;
    if (client.isPaused || node.isPaused) return;
    clearTimeout(this.#stall);
    this.#stall = undefined;
  }

  /** One side has ended with this code: the other does. */
  #end(other: WebSocket, code: number, reason: Buffer | string): void {
    if (!this.#ended) {
      this.#ended = true;
      clearTimeout(this.#stall);
      this.#options.ended();
    }
    if (other.readyState === other.CONNECTING) return other.terminate();
    if (other.readyState !== other.OPEN) return;
    // 1006 is no code to be sent, but what is seen of a connection that is gone.
    if (code === 1006 || code === 1015) return other.terminate();
    if (code === 1005) other.close();
    else other.close(code, reason);
    other.resume();
    endSoon(other);
  }

  #rewritten(data: RawData): RawData | string {
    if (!Buffer.isBuffer(data) || !data.subarray(0, MOVE.length).equals(MOVE)) return data;
    try {
      const frame = JSON.parse(data.toString()) as { url?: unknown };
      const ticket = typeof frame.url === 'string' ? new URL(frame.url).searchParams.get('ticket') : null;
      return ticket === null ? data : JSON.stringify({ ...frame, url: this.#options.moveUrl(ticket) });
    } catch {
      return data;
    }
  }
}

/** Who does not answer a close is not waited for. */
function endSoon(socket: WebSocket): void {
  const timer = setTimeout(() => socket.terminate(), GOODBYE_MS);
  socket.once('close', () => clearTimeout(timer));
}
