import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Member } from '@ringway/membership';
import {
  CLOSE,
  type CloseName,
  type ErrorCode,
  HTTP,
  isUserId,
  SUBPROTOCOL,
  socketUrlHead,
} from '@ringway/protocol';
import { originAllowed } from '@ringway/service';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { InvalidUserIdError } from '../auth/errors.ts';
import type { Authenticate } from '../auth/port.ts';
import { MAX_AVOID } from '../choose.ts';
import { ProblemError, problemOf } from '../problem.ts';
import type { RateLimiter } from '../rate-limit.ts';
import type { Router } from '../router.ts';
import { Pair } from './pair.ts';

/** How sockets are carried. */
export interface FallbackOptions {
  /** Where clients reach this locator, `wss://…`, without a path of `/connect`. */
  readonly url: string;
  /** Most at a time. */
  readonly maxSessions: number;
  /** Largest frame of a client. */
  readonly frameBytes: number;
  /** Authorities by which nodes are trusted, PEM; those of Node.js when undefined. */
  readonly ca?: string | undefined;
}

export interface CarrierOptions extends FallbackOptions {
  readonly router: Router;
  readonly authenticate: Authenticate;
  readonly limiter: RateLimiter;
  readonly origins: () => readonly string[];
  /** `opened`, or why not. */
  readonly counted: (result: string) => void;
  readonly onFault: (error: unknown) => void;
}

/** A node must answer the upgrade within this time. */
const HANDSHAKE_MS = 5_000;
/** What a node sends is its own and may be larger than what a client may; a bound all the same. */
const NODE_FRAME_BYTES = 16 * 1024 * 1024;

/** Of the refusals of `/route`, which a script can only be told by a close code. */
const CLOSE_OF: Partial<Record<ErrorCode, CloseName>> = {
  unauthenticated: 'session_expired',
  forbidden: 'policy',
  invalid_user_id: 'policy',
  bad_request: 'policy',
  rate_limited: 'rate_limited',
};

/**
 * `/connect`: opens the client's socket at the node that `/route` would have named, and carries it. With a `ticket` (as in
 * `fallbackUrl`) that is all that is asked for; without one the caller is asked as by `/route`, and a ticket made here.
 * Nothing of the session is kept: nodes see a client like any other.
 */
export class Carrier {
  readonly #options: CarrierOptions;
  readonly #server: WebSocketServer;
  readonly #pairs = new Set<Pair>();
  /** Between the upgrade and the pair. */
  #asking = 0;
  #closed = false;

  constructor(options: CarrierOptions) {
    this.#options = options;
    // `closeTimeout` and `autoPong` are options of ws that its types do not know everywhere.
    const settings: ServerOptions & { readonly closeTimeout: number; readonly autoPong: boolean } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.frameBytes,
      // The node looks at what it is sent; here it is only carried.
      skipUTF8Validation: true,
      autoPong: false,
      closeTimeout: 2_000,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    };
    this.#server = new WebSocketServer(settings);
  }

  get size(): number {
    return this.#pairs.size;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const [path, query] = (request.url ?? '').split('?', 2);
    if (path !== HTTP.connect) return this.#refuse(socket, 404, 'path');
    if (!originAllowed(this.#options.origins(), request.headers.origin))
      return this.#refuse(socket, 403, 'origin');
    if (this.#closed) return this.#refuse(socket, 503, 'stopping');
    if (this.#pairs.size + this.#asking >= this.#options.maxSessions)
      return this.#refuse(socket, 503, 'full');
    this.#asking += 1;
    void this.#target(request, new URLSearchParams(query))
      .catch((error: unknown): CloseName => this.#closeFor(error))
      .then((target) => {
        this.#asking -= 1;
        this.#server.handleUpgrade(request, socket, head, (client) => this.#carry(client, request, target));
      });
  }

  /** No more; those that are carried are told to come again, elsewhere. */
  close(): void {
    this.#closed = true;
    for (const pair of [...this.#pairs]) pair.close(CLOSE.going_away.code, 'going_away');
    this.#server.close();
  }

  /** The URL to open at a node; or what the client is to be told. */
  async #target(request: IncomingMessage, query: URLSearchParams): Promise<URL | CloseName> {
    const { authenticate, limiter, router } = this.#options;
    const given = query.get('ticket');
    if (given !== null) {
      const found = router.ticketed(given);
      return typeof found === 'string' ? found : urlFor(found, given);
    }
    const userId = query.get('userId') ?? undefined;
    const token = query.get('access_token');
    const headers =
      token === null || request.headers.authorization !== undefined
        ? request.headers
        : { ...request.headers, authorization: `Bearer ${token}` };
    const caller = await authenticate({ headers, userId });
    const wait = limiter.take(caller.userId, performance.now());
    if (wait > 0) return 'rate_limited';
    if (userId !== undefined && userId !== caller.userId) {
      if (!isUserId(userId)) throw new InvalidUserIdError('parameter userId');
      throw new ProblemError('forbidden', 'userId is not the caller’s own');
    }
    const avoid = query.getAll('avoid').slice(0, MAX_AVOID);
    const { member, ticket } = router.route(caller, avoid);
    return urlFor(member, ticket);
  }

  #closeFor(error: unknown): CloseName {
    const { code } = problemOf(error);
    if (code === 'internal') this.#options.onFault(error);
    return CLOSE_OF[code] ?? 'unavailable';
  }

  #carry(client: WebSocket, request: IncomingMessage, target: URL | CloseName): void {
    const { ca, counted, url } = this.#options;
    if (typeof target === 'string' || this.#closed) {
      const name = typeof target === 'string' ? target : 'going_away';
      counted(name);
      client.on('error', () => {});
      client.close(CLOSE[name].code, name);
      return;
    }
    const { origin } = request.headers;
    const settings = {
      perMessageDeflate: false,
      maxPayload: NODE_FRAME_BYTES,
      skipUTF8Validation: true,
      autoPong: false,
      handshakeTimeout: HANDSHAKE_MS,
      followRedirects: false,
      ...(origin !== undefined && { origin }),
      ...(ca !== undefined && { ca }),
    };
    const node = new WebSocket(target, client.protocol === '' ? [] : [client.protocol], settings);
    const pair = new Pair({
      client,
      node,
      moveUrl: (ticket) => `${url}${HTTP.connect}?ticket=${ticket}`,
      opened: (well) => counted(well ? 'opened' : 'unreachable'),
      ended: () => this.#pairs.delete(pair),
    });
    this.#pairs.add(pair);
  }

  #refuse(socket: Duplex, status: number, reason: string): void {
    this.#options.counted(reason);
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    socket.once('finish', () => socket.destroy());
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
  }
}

function urlFor(member: Member, ticket: string): URL {
  return new URL(socketUrlHead(member.publicUrl) + ticket);
}
