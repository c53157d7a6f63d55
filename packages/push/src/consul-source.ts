import { type ConsulTls, consulMembership, serviceName } from '@ringway/membership';
import type { RingSource } from './port.ts';
import { WatchedSource } from './watched-source.ts';

/** How to reach Consul. */
export interface ConsulSourceOptions {
  /** The local agent. Default `http://127.0.0.1:8500`. */
  readonly address?: string;
  /** ACL token: `service:read` on the cluster's service and on `consul`, `node:read`. */
  readonly token?: string;
  /** For an `https:` address, PEM. */
  readonly tls?: ConsulTls;
}

/**
 * The ring as the cluster's nodes see it in Consul. Needs the SDK's `clusterKeys`: only members that are signed with
 * them are believed.
 */
export function consulSource(options: ConsulSourceOptions = {}): RingSource {
  const { address = 'http://127.0.0.1:8500', token, tls } = options;
  return new WatchedSource('Consul', ({ cluster, signer, random }) =>
    consulMembership({
      address,
      signer,
      random,
      service: serviceName(cluster),
      ...(token !== undefined && { token }),
      ...(tls !== undefined && { tls }),
    }),
  );
}
