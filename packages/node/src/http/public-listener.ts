import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HTTP, SUBPROTOCOL } from '@ringway/protocol';
import { type Address, originAllowed, type TlsMaterial } from '@ringway/service';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { destroy, refuse } from './refuse.ts';

const MAX_HEADER_BYTES = 8 * 1024;
/** How long the answer to a close is waited for: a session that has ended is counted nowhere, so it must not linger. */
const GOODBYE_MS = 2_000;

export interface PublicListenerOptions {
  readonly listen: Address;
  readonly tls?: TlsMaterial | undefined;
  readonly frameBytes: number;
  readonly headerTimeoutMs: number;
  /** Most sockets of one address that have shown no ticket yet. */
  readonly maxUnauthenticated: number;
  readonly origins: () => readonly string[];
  /** A socket was opened with this ticket, unread so far. The receiver accepts it or closes it with a code. */
  readonly onSocket: (socket: WebSocket, stream: Duplex, ticket: string | undefined) => void;
  readonly onRefused: (reason: string) => void;
}

/**
 * The listener for clients: nothing but WebSocket upgrades. What is wrong with a ticket is told by accepting and closing
 * with a code, because a script in a browser never sees the status of a refused upgrade; statuses are for what comes
 * before: malformed requests, origins, limits.
 */
export class PublicListener {
  private readonly options: PublicListenerOptions;
  private readonly server: Server | TlsServer;
  private readonly sockets: WebSocketServer;
  /** Ports by address of the sockets that have not shown a valid ticket. */
  private readonly strangers = new Map<string, Set<number>>();

  constructor(options: PublicListenerOptions) {
    this.options = options;
    const limits = {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: options.headerTimeoutMs,
      requestTimeout: options.headerTimeoutMs,
      keepAliveTimeout: 1_000,
      connectionsCheckingInterval: Math.min(1_000, options.headerTimeoutMs),
    };
    this.server = options.tls
      ? createTlsServer({ ...limits, ...options.tls, handshakeTimeout: options.headerTimeoutMs })
      : createServer(limits);
    const settings: ServerOptions & { readonly closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.frameBytes,
      // frames are checked, and bad UTF-8 is answered, by the reader of frames
      skipUTF8Validation: true,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      closeTimeout: GOODBYE_MS,
    };
    this.sockets = new WebSocketServer(settings);
    this.server.on('connection', (socket: Socket) => this.meet(socket));
    this.server.on('request', (_request, response) => {
      response.writeHead(426, { upgrade: 'websocket', connection: 'close', 'content-length': 0 }).end();
    });
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    this.server.on('clientError', (_error, socket: Socket) => {
      options.onRefused('malformed');
      refuse(socket, 400);
    });
    this.server.on('tlsClientError', () => options.onRefused('tls'));
  }

  /** Resolves to the port. */
  listen(): Promise<number> {
    const { host, port } = this.options.listen;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port, backlog: 4_096 }, () => {
        this.server.removeListener('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes a renewed certificate for connections from now on. */
  setTls(tls: TlsMaterial): void {
    if ('setSecureContext' in this.server) this.server.setSecureContext(tls);
  }

  /** Takes no more connections; those that are upgraded are not touched. */
  async close(): Promise<void> {
    this.sockets.close();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  /** Whoever showed a valid ticket is a stranger no longer. */
  authenticated(stream: Duplex): void {
    const { remoteAddress = '', remotePort = 0 } = stream as Socket;
    this.acquainted(remoteAddress, remotePort);
  }

  private meet(socket: Socket): void {
    const { remoteAddress = '', remotePort = 0 } = socket;
    let ports = this.strangers.get(remoteAddress);
    if (!ports) {
      ports = new Set();
      this.strangers.set(remoteAddress, ports);
    }
    if (ports.size >= this.options.maxUnauthenticated) {
      this.options.onRefused('too_many_unauthenticated');
      socket.destroy();
      return;
    }
    ports.add(remotePort);
    socket.once('close', () => this.acquainted(remoteAddress, remotePort));
  }

  private acquainted(address: string, port: number): void {
    const ports = this.strangers.get(address);
    if (ports?.delete(port) && ports.size === 0) this.strangers.delete(address);
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', destroy);
    const [path = '', query] = (request.url ?? '').split('?', 2);
    if (!path.endsWith(HTTP.socket)) return this.refuse(socket, 404, 'path');
    if (!originAllowed(this.options.origins(), request.headers.origin))
      return this.refuse(socket, 403, 'origin');
    // the answer goes out with what is said in this turn, which is the welcome as a rule: one write less for each client
    socket.cork();
    this.sockets.handleUpgrade(request, socket, head, (ws) => {
      this.options.onSocket(ws, socket, ticketOf(query));
    });
    setImmediate(() => socket.uncork());
  }

  private refuse(socket: Duplex, status: number, reason: string): void {
    this.options.onRefused(reason);
    refuse(socket, status);
  }
}

/** What nearly every query is: a ticket, which has nothing to unescape. */
const PLAIN_TICKET = /^ticket=([\w.-]+)$/;

function ticketOf(query = ''): string | undefined {
  return PLAIN_TICKET.exec(query)?.[1] ?? new URLSearchParams(query).get('ticket') ?? undefined;
}
