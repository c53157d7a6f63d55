import { Cluster, Redis } from 'ioredis';
import type { RedisAddress } from './redis-url.ts';

/** Where Redis is, and how a connection is made. */
export interface ClientOptions {
  readonly address: RedisAddress;
  /** How long an answer, or the connecting itself, may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How Redis lists this connection. */
  readonly name: string;
  /** PEM certificates by which rediss:// is trusted; those of Node.js by default. */
  readonly ca?: string | undefined;
}

/** A client that connects when told to, and again for ever; that keeps nothing for later, and sends nothing twice. */
export function clientFor(
  { address, timeoutMs, name, ca }: ClientOptions,
  backoff: () => number,
): Redis | Cluster {
  const [first] = address.urls as [URL];
  const shared = {
    ...(first.username === '' ? {} : { username: decodeURIComponent(first.username) }),
    ...(first.password === '' ? {} : { password: decodeURIComponent(first.password) }),
    ...(first.protocol === 'rediss:' ? { tls: ca === undefined ? {} : { ca } } : {}),
    connectionName: name,
    connectTimeout: timeoutMs,
    protocol: 2 as const,
    // what was sent and not answered is told so, and never sent again unasked
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  };
  if (address.urls.length === 1) {
    return new Redis({
      ...shared,
      host: hostOf(first),
      port: Number(first.port || 6379),
      db: Number(first.pathname.slice(1)),
      lazyConnect: true,
      enableOfflineQueue: false,
      retryStrategy: backoff,
    });
  }
  return new Cluster(
    address.urls.map((url) => ({ host: hostOf(url), port: Number(url.port || 6379) })),
    {
      // one node that says nothing at all is given up
      redisOptions: { ...shared, socketTimeout: timeoutMs },
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: backoff,
      slotsRefreshTimeout: timeoutMs,
      // what could not be done is told, and not tried again behind the caller's back
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
    },
  );
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
