import { after } from './clock.ts';
import { type LinkOptions, type ResolvedLinkOptions, resolveLinkOptions } from './options.ts';
import { closeGracefully, detach, discard, SOCKET_OPEN, type SocketLike } from './socket.ts';
import type { LinkState } from './state.ts';

/** Close code of a connection that ended without one (RFC 6455, 7.1.5). */
const ABNORMAL = 1006;

/** So many short connections in a row may ask for another at once; after that `again` waits like any other. */
const MAX_SHORT_AGAIN = 2;

/** What {@link Link.replace} did. */
export type Replaced =
  | { readonly taken: false }
  | { readonly taken: true; readonly before: SocketLike | undefined };

/** What an attempt or a wait must give back when it is left. */
type Leave = () => void;

/**
 * One WebSocket that comes back: dials, opens, and after every end does what `afterClose` says. It knows nothing of
 * what is sent, so a client's link to its node and a node's link to its peer are the same machine.
 */
export class Link {
  readonly #options: ResolvedLinkOptions;
  #state: LinkState = { name: 'idle' };
  #leave: Leave | undefined;
  /** Attempts in a row that failed or did not last. */
  #failures = 0;
  #stopping: Promise<void> = Promise.resolve();

  constructor(options: LinkOptions) {
    this.#options = resolveLinkOptions(options);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Bytes that wait to be sent; 0 when the link is not open. */
  get bufferedAmount(): number {
    return this.#socket()?.bufferedAmount ?? 0;
  }

  /** Begins to connect. Does nothing while the link is at work already. */
  start(): void {
    if (this.#isAtWork) return;
    this.#failures = 0;
    this.#connect();
  }

  /**
   * Ends the link; `afterClose` is not asked. Resolves when the socket is closed. The state is `stopped` at once, and
   * {@link start} begins anew.
   */
  stop(code = 1000, reason = ''): Promise<void> {
    if (!this.#isAtWork) return this.#stopping;
    const { clock, closeGraceMs } = this.#options;
    const socket = this.#socket();
    if (socket) this.#stopping = closeGracefully(socket, code, reason, clock, closeGraceMs);
    this.#setState({ name: 'stopped', code, reason });
    return this.#stopping;
  }

  /** Sends on the open socket; false, and nothing is sent or kept, when there is none. */
  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    const socket = this.#socket();
    if (socket?.readyState !== SOCKET_OPEN) return false;
    socket.send(data);
    return true;
  }

  /**
   * Gives up the connection, or the attempt, that the caller knows to be dead: no goodbye is said or awaited, and
   * `afterClose` gets this code.
   */
  drop(reason: string, code = ABNORMAL): void {
    const socket = this.#socket();
    if (socket) discard(socket);
    if (socket || this.#state.name === 'connecting') this.#ended(code, reason);
  }

  /** Cuts a wait short. A connection, or an attempt under way, is left alone: see {@link drop}. */
  reconnectNow(): void {
    if (this.#state.name === 'waiting') this.#connect();
  }

  /**
   * The given open socket takes over, whatever the link was doing. The one before, if there was one, is handed back:
   * what it still delivers goes on to `onMessage`, its end no longer matters, and the caller says goodbye to it with
   * {@link closeGracefully}. Where the link is not at work, or the socket is not open, nothing is taken and the socket
   * is discarded. `onOpen` is not called: the caller has used the socket before.
   */
  replace(socket: SocketLike): Replaced {
    if (!this.#isAtWork || socket.readyState !== SOCKET_OPEN) {
      discard(socket);
      return { taken: false };
    }
    const before = this.#socket();
    if (before) before.onclose = null;
    this.#listen(socket);
    this.#setState({ name: 'open', socket, since: this.#options.clock.now() });
    return { taken: true, before };
  }

  /** The one place where the state changes. What the old state had under way is left first. */
  #setState(next: LinkState, leave?: Leave): void {
    const old = this.#state;
    const leaveOld = this.#leave;
    this.#leave = leave;
    this.#state = next;
    leaveOld?.();
    this.#options.onState?.({ old, new: next });
  }

  #connect(): void {
    const { clock, connectTimeoutMs, dial } = this.#options;
    const dialTimeoutMs = this.#options.dialTimeoutMs ?? connectTimeoutMs;
    const abort = new AbortController();
    const mine: LinkState = { name: 'connecting', attempt: this.#failures };
    let socket: SocketLike | undefined;
    const timeout = (what: string, ms: number) =>
      after(clock, ms, () => this.drop(`${what} took more than ${ms} ms`));
    let cancel = timeout('dialling', dialTimeoutMs);
    this.#setState(mine, () => {
      cancel();
      abort.abort();
      if (socket && this.#socket() !== socket) discard(socket);
    });
    if (this.#state !== mine) return;

    const dialled = (made: SocketLike): void => {
      if (this.#state !== mine) {
        discard(made);
        return;
      }
      socket = made;
      cancel();
      cancel = timeout('opening', connectTimeoutMs);
      this.#listen(made);
      if (made.readyState === SOCKET_OPEN) this.#opened(made);
    };
    const failed = (error: unknown): void => {
      if (this.#state !== mine) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.#ended(ABNORMAL, reason, error);
    };
    const attempt = async (): Promise<SocketLike> => dial(mine.attempt, abort.signal);
    void attempt().then(dialled, failed);
  }

  get #isAtWork(): boolean {
    return this.#state.name !== 'idle' && this.#state.name !== 'stopped';
  }

  #socket(): SocketLike | undefined {
    return this.#state.name === 'open' ? this.#state.socket : undefined;
  }

  #listen(socket: SocketLike): void {
    // a browser would hand out Blobs, which are read asynchronously and so out of order
    if (socket.binaryType === 'blob') socket.binaryType = 'arraybuffer';
    const { onMessage } = this.#options;
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (typeof data === 'string' || data instanceof Uint8Array) onMessage?.(data, socket);
      else if (data instanceof ArrayBuffer) onMessage?.(new Uint8Array(data), socket);
    };
    // an error is always followed by a close, which says all that there is to know
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      detach(socket);
      this.#ended(code || ABNORMAL, reason);
    };
  }

  #opened(socket: SocketLike): void {
    this.#setState({ name: 'open', socket, since: this.#options.clock.now() });
    if (this.#socket() === socket) this.#options.onOpen?.(socket);
  }

  /** The connection, or the attempt, is over. */
  #ended(code: number, reason: string, error?: unknown): void {
    const before = this.#state;
    const { minUptimeMs, afterClose, backoff, random, clock } = this.#options;
    const opened = before.name === 'open';
    const uptimeMs = opened ? clock.now() - before.since : 0;
    if (opened && uptimeMs >= minUptimeMs) this.#failures = 0;
    const verdict = afterClose({ code, reason, opened, uptimeMs, error });
    // whoever was asked may have stopped, replaced or dropped meanwhile
    if (this.#state !== before) return;
    if (verdict === 'stop') {
      this.#setState({ name: 'stopped', code, reason });
      return;
    }
    const attempt = this.#failures++;
    if (verdict === 'again' && attempt < MAX_SHORT_AGAIN) {
      this.#connect();
      return;
    }
    const least = typeof verdict === 'object' ? verdict.afterMs : 0;
    const waitMs = least + backoff(attempt, random());
    const cancel = after(clock, waitMs, () => this.#connect());
    this.#setState({ name: 'waiting', attempt, waitMs }, cancel);
  }
}
