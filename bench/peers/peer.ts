import type { Redis } from 'ioredis';

/** How a peer's clients speak; see load/speech.ts. */
export type SpeechName = 'plain' | 'nats' | 'socket.io' | 'ringway' | 'ringway-answered';

/** One user that can connect. */
export interface Seat {
  /** The name under which others send to it. */
  readonly user: string;
  /** Number of the node that holds it. */
  readonly node: number;
  /** Where to open the socket: `ws://…`, once. */
  readonly url: string;
}

/** An HTTP request that a client makes before it connects; the answer's `url` is where. */
export interface Lookup {
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
}

/** One way to carry messages between users on several nodes: what Ringway is measured against, and Ringway. */
export interface Peer {
  readonly name: string;
  readonly speech: SpeechName;
  /** Sender and receiver are on the same node: what has no second hop is measured without one. */
  readonly oneHop?: boolean;
  /** Starts that many nodes, and what they need besides, on the server core. Resolves when clients can connect. */
  start(nodes: number): Promise<RunningPeer>;
}

/** A started peer; ends with its scope. */
export interface RunningPeer extends AsyncDisposable {
  /** Servers and brokers: all that carries messages, and whose time is counted. */
  readonly pids: readonly number[];
  /** Those of them that hold clients' connections. */
  readonly holders: readonly number[];
  /** That many users, the n-th on node n modulo the number of nodes; from the `skip`-th on, so that they are others. */
  seats(count: number, skip?: number): Promise<Seat[]>;
  /** Waits until every node knows of so many clients, where a client is told that it can be reached before that. */
  known?(clients: number): Promise<void>;
  /** Frames that nodes and brokers have sent each other for messages so far; absent where there are none. */
  frames?(): Promise<number>;
  /** Frames for each message that are not among those: its way to a broker. */
  readonly uncounted?: number;
  /** A connection to the Redis that messages go through; absent where there is none. */
  readonly redis?: Redis;
  /** That many users who ask for their URL themselves, where that is part of connecting. */
  callers?(
    count: number,
    skip?: number,
  ): { readonly lookup: Lookup; readonly authorizations: readonly string[] };
}
