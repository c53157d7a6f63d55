const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]'];

/** The origins under which a browser on this machine sees a port. */
export function loopbackOrigins(port: number): readonly string[] {
  return LOOPBACK_HOSTS.map((host) => `http://${host}:${port}`);
}

/** What of a request the guard looks at. */
export interface GuardedRequest {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly site: string | undefined;
}

/**
 * Why a request is refused; undefined when it is not. Nobody has to log in to `ringway dev`, so no page but its own and
 * `others` may speak to it: not by CORS or a form (Origin), nor under a name that was made to point here (Host).
 */
export function refusal(
  { host, origin, site }: GuardedRequest,
  port: number,
  others: readonly string[] = [],
): string | undefined {
  const origins = loopbackOrigins(port);
  if (host === undefined || !origins.includes(`http://${host.toLowerCase()}`)) {
    return 'Host must be this machine’s own: 127.0.0.1, localhost or [::1]';
  }
  if (origin !== undefined && others.includes(origin)) return undefined;
  if (origin !== undefined && !origins.includes(origin))
    return 'Origin must be the page of ringway dev; for /route and /sdk, one of --origin, too';
  if (site === 'cross-site') return 'requests from other sites are refused';
  return undefined;
}
