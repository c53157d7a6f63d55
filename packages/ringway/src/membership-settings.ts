import { readFileSync } from 'node:fs';
import {
  type ConsulHooks,
  type ConsulTls,
  consulMembership,
  InvalidOptionError,
  joinedMembership,
  type Membership,
  type MembershipLog,
  type OfferResult,
  serviceName,
  type Watching,
} from '@ringway/membership';
import { type RedisRingOptions, redisWatching, sharedWatching } from '@ringway/membership/redis';
import { hmacSigner, type KeyFamily, SettingsError, setting, type ValuesOf } from '@ringway/service';

/** Settings of Redis, which the ring may be shared through; the log's are the same. */
export const redisSettings = Object.freeze({
  redisUrl: setting.secret('RINGWAY_REDIS_URL', {
    help: 'Redis: redis://user:password@host:6379/0, or rediss:// for TLS. Several, separated by commas, are nodes of one Redis Cluster. Its maxmemory-policy must be noeviction.',
  }),
  redisCa: setting.string('RINGWAY_REDIS_CA', {
    help: 'Path of the PEM certificates by which rediss:// is trusted; those of Node.js by default.',
  }),
  ringRedisUrl: setting.secret('RINGWAY_RING_REDIS_URL', {
    help: 'The one Redis that the ring is shared through, where it is not that of RINGWAY_REDIS_URL.',
  }),
});

/** Settings of who shares the ring. */
export const sharingSettings = Object.freeze({
  ringShare: setting.flag('RINGWAY_RING_SHARE', {
    default: true,
    help: 'Offer the ring in Redis, where one is given, to those who read it there (RINGWAY_MEMBERSHIP=redis).',
  }),
});

/** Settings that say who is in the cluster; the same for locator and node. */
export const membershipSettings = Object.freeze({
  membership: setting.choice('RINGWAY_MEMBERSHIP', ['consul', 'redis'], {
    default: 'consul',
    help: 'Where the ring is read: in Consul, or in Redis, where locators that read it in Consul put it. Nodes register with Consul either way.',
  }),
  ...redisSettings,
  consulUrl: setting.url('RINGWAY_CONSUL_URL', {
    protocols: ['http:', 'https:'],
    default: 'http://127.0.0.1:8500',
    help: 'The local Consul agent.',
  }),
  consulToken: setting.secret('RINGWAY_CONSUL_TOKEN', { help: 'ACL token for Consul.' }),
  consulCa: setting.string('RINGWAY_CONSUL_CA', {
    help: 'Path of the PEM authority that Consul’s certificate is checked by.',
  }),
  consulCert: setting.string('RINGWAY_CONSUL_CERT', { help: 'Path of the PEM certificate shown to Consul.' }),
  consulKey: setting.string('RINGWAY_CONSUL_KEY', { help: 'Path of the PEM key of that certificate.' }),
  consulServerName: setting.string('RINGWAY_CONSUL_SERVER_NAME', {
    help: 'Name to expect in Consul’s certificate when it is not the host of RINGWAY_CONSUL_URL.',
  }),
});

/** Settings of how Consul checks a node. */
export const checkSettings = Object.freeze({
  checkUrl: setting.url('RINGWAY_CHECK_URL', {
    protocols: ['http:', 'https:'],
    help: 'What Consul asks to see that the node lives. The internal URL’s /healthz when left out.',
  }),
  checkSkipVerify: setting.flag('RINGWAY_CHECK_SKIP_VERIFY', {
    help: 'Consul does not check the certificate of the internal listener.',
  }),
  checkDeregisterAfter: setting.string('RINGWAY_CHECK_DEREGISTER_AFTER', {
    default: '10m',
    pattern: /^\d{1,6}[smh]$/,
    expected: 'a duration of at least one minute, such as 90s or 10m',
    help: 'How long a node stays listed in Consul after its check turned critical.',
  }),
});

export type MembershipSettings = Readonly<ValuesOf<typeof membershipSettings>>;
export type CheckSettings = Readonly<ValuesOf<typeof checkSettings>>;

/** What the membership needs beside its settings. */
export interface MembershipContext {
  readonly cluster: string;
  readonly keys: KeyFamily;
  readonly log: MembershipLog;
  readonly hooks?: Pick<ConsulHooks, 'rejected'> & { readonly offered?: (result: OfferResult) => void };
  readonly check?: CheckSettings;
}

/** The membership of a node: it registers with Consul, and reads where the settings say. @throws SettingsError */
export function membershipFrom(settings: MembershipSettings, context: MembershipContext): Membership {
  const consul = consulFrom(settings, context);
  return settings.membership === 'redis' ? joinedMembership(consul, redisFrom(settings, context)) : consul;
}

/** The membership of a locator: it only reads, and shares what it reads in Consul. @throws SettingsError */
export function watchingFrom(
  settings: MembershipSettings & Readonly<ValuesOf<typeof sharingSettings>>,
  context: MembershipContext,
): Watching {
  if (settings.membership === 'redis') return redisFrom(settings, context);
  const consul = consulFrom(settings, context);
  const shares = settings.ringShare && (settings.ringRedisUrl ?? settings.redisUrl) !== undefined;
  return shares ? named(() => sharedWatching(consul, redisOptions(settings, context)), REDIS_NAMES) : consul;
}

/** The ring as it stands in Redis. @throws SettingsError */
export function redisFrom(settings: MembershipSettings, context: MembershipContext): Watching {
  return named(() => redisWatching(redisOptions(settings, context)), REDIS_NAMES);
}

/** The members as Consul lists them. @throws SettingsError */
export function consulFrom(settings: MembershipSettings, context: MembershipContext): Membership {
  const { cluster, keys, log, hooks, check } = context;
  const tls = consulTls(settings);
  return named(
    () =>
      consulMembership({
        address: settings.consulUrl,
        service: serviceName(cluster),
        signer: hmacSigner(keys),
        log,
        ...(settings.consulToken !== undefined && { token: settings.consulToken }),
        ...(tls && { tls }),
        ...(hooks && { hooks }),
        ...(check && {
          check: {
            tlsSkipVerify: check.checkSkipVerify,
            deregisterAfter: check.checkDeregisterAfter,
            ...(check.checkUrl !== undefined && { url: check.checkUrl }),
          },
        }),
      }),
    CONSUL_NAMES,
  );
}

/** The Redis that the ring stands in. @throws SettingsError */
export function ringRedis(settings: MembershipSettings): Pick<RedisRingOptions, 'url' | 'tls'> {
  const url = settings.ringRedisUrl ?? settings.redisUrl;
  const name = settings.ringRedisUrl === undefined ? 'RINGWAY_REDIS_URL' : 'RINGWAY_RING_REDIS_URL';
  // What was given may hold a password.
  if (url === undefined) {
    const expected = 'a URL like redis://host:6379, since RINGWAY_MEMBERSHIP is redis';
    throw new SettingsError([{ name: 'RINGWAY_RING_REDIS_URL', expected }]);
  }
  if (url.includes(',')) {
    const expected = 'one Redis for the ring, in RINGWAY_RING_REDIS_URL: it does not live in a Redis Cluster';
    throw new SettingsError([{ name, expected }]);
  }
  return { url, tls: readPem('ca', 'RINGWAY_REDIS_CA', settings.redisCa) };
}

function redisOptions(settings: MembershipSettings, context: MembershipContext): RedisRingOptions {
  const { cluster, keys, log, hooks } = context;
  return { ...ringRedis(settings), cluster, signer: hmacSigner(keys), log, ...(hooks && { hooks }) };
}

/** Says of a bad option by which setting it was given. @throws SettingsError */
function named<T>(make: () => T, names: Readonly<Record<string, string>>): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error;
    const expected = error.message.replace(/^.*?: expected /, '');
    throw new SettingsError([{ name: names[error.option] ?? error.option, expected }], { cause: error });
  }
}

const REDIS_NAMES: Readonly<Record<string, string>> = {
  url: 'RINGWAY_RING_REDIS_URL',
  cluster: 'RINGWAY_CLUSTER',
};

const CONSUL_NAMES: Readonly<Record<string, string>> = {
  address: 'RINGWAY_CONSUL_URL',
  service: 'RINGWAY_CLUSTER',
  'check.deregisterAfter': 'RINGWAY_CHECK_DEREGISTER_AFTER',
};

/** Trust and identity towards Consul, when given. @throws SettingsError */
export function consulTls(settings: MembershipSettings): ConsulTls | undefined {
  const tls = {
    ...readPem('ca', 'RINGWAY_CONSUL_CA', settings.consulCa),
    ...readPem('cert', 'RINGWAY_CONSUL_CERT', settings.consulCert),
    ...readPem('key', 'RINGWAY_CONSUL_KEY', settings.consulKey),
    ...(settings.consulServerName !== undefined && { serverName: settings.consulServerName }),
  };
  return Object.keys(tls).length === 0 ? undefined : tls;
}

function readPem<K extends string>(
  field: K,
  name: string,
  path: string | undefined,
): Partial<Record<K, string>> {
  if (path === undefined) return {};
  try {
    return { [field]: readFileSync(path, 'utf8') } as Partial<Record<K, string>>;
  } catch (cause) {
    throw new SettingsError([{ name, given: path, expected: 'a file that can be read' }], { cause });
  }
}
