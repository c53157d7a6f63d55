import { InvalidOptionError } from '@ringway/membership';
import { redisWatching } from '@ringway/membership/redis';
import { OptionError } from './errors.ts';
import type { RingSource } from './port.ts';
import type { TlsOptions } from './transport.ts';
import { WatchedSource } from './watched-source.ts';

/** How to reach the Redis that the locators share the ring through. */
export interface RedisSourceOptions {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url: string;
  /** For a `rediss:` URL, PEM. */
  readonly tls?: TlsOptions;
}

/**
 * The ring as the locators offer it in Redis: for backends that reach neither Consul nor a locator. Needs the SDK's
 * `clusterKeys`: only a ring that is signed with them is believed. Once read it stands, also while Redis is away.
 */
export function redisSource({ url, tls }: RedisSourceOptions): RingSource {
  return new WatchedSource('Redis', ({ cluster, signer, random }) => {
    try {
      return redisWatching({ url, cluster, signer, random, ...(tls !== undefined && { tls }) });
    } catch (error) {
      if (!(error instanceof InvalidOptionError)) throw error;
      throw new OptionError(error.option, error.message.replace(/^.*expected /, 'expected '));
    }
  });
}
