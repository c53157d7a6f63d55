import { readFileSync } from 'node:fs';
import {
  type ConsulHooks,
  type ConsulTls,
  consulMembership,
  InvalidOptionError,
  type Membership,
  type MembershipLog,
  serviceName,
} from '@ringway/membership';
import { hmacSigner, type KeyFamily, SettingsError, setting, type ValuesOf } from '@ringway/service';

/** Settings that say who is in the cluster; the same for locator and node. */
export const membershipSettings = Object.freeze({
  membership: setting.choice('RINGWAY_MEMBERSHIP', ['consul'], {
    default: 'consul',
    help: 'Where the members are registered.',
  }),
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
  readonly hooks?: ConsulHooks;
  readonly check?: CheckSettings;
}

/** The membership that the settings describe. @throws SettingsError */
export function membershipFrom(settings: MembershipSettings, context: MembershipContext): Membership {
  const { cluster, keys, log, hooks, check } = context;
  const tls = consulTls(settings);
  try {
    return consulMembership({
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
    });
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error;
    throw new SettingsError([{ name: SETTING_OF[error.option] ?? error.option, expected: error.message }], {
      cause: error,
    });
  }
}

const SETTING_OF: Readonly<Record<string, string>> = {
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
