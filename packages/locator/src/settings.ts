import {
  isLoopback,
  setting,
  sharedSettings,
  type TlsFiles,
  tlsFiles,
  type ValuesOf,
} from '@ringway/service';

const jwksAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Settings of `ringway locator`. */
export const locatorSettings = Object.freeze({
  ...sharedSettings,
  publicListen: setting.address('RINGWAY_PUBLIC_LISTEN', {
    default: { host: '127.0.0.1', port: 8080 },
    help: 'Where clients reach the locator.',
  }),
  internalListen: setting.address('RINGWAY_INTERNAL_LISTEN', {
    default: { host: '127.0.0.1', port: 8081 },
    help: 'Where backends, operators and Prometheus reach the locator.',
  }),
  publicCert: setting.string('RINGWAY_PUBLIC_CERT', {
    expected: 'a path',
    reload: true,
    help: 'Path of the PEM certificate (with its chain) of the public listener; https when given.',
  }),
  publicKey: setting.string('RINGWAY_PUBLIC_KEY', {
    expected: 'a path',
    reload: true,
    help: 'Path of the PEM key of the public listener.',
  }),
  internalCert: setting.string('RINGWAY_INTERNAL_CERT', {
    expected: 'a path',
    reload: true,
    help: 'Path of the PEM certificate (with its chain) of the internal listener; https when given.',
  }),
  internalKey: setting.string('RINGWAY_INTERNAL_KEY', {
    expected: 'a path',
    reload: true,
    help: 'Path of the PEM key of the internal listener.',
  }),
  authKeys: setting.keys('RINGWAY_AUTH_KEYS', {
    reload: true,
    help: 'Secrets by which callers’ tokens are signed with HS256. Either these or RINGWAY_AUTH_JWKS_URL.',
  }),
  authJwksUrl: setting.url('RINGWAY_AUTH_JWKS_URL', {
    protocols: ['https:', 'http:'],
    check: (url) =>
      url.protocol === 'https:' || isLoopback(url.hostname) ? undefined : 'an https URL, or http on loopback',
    help: 'Key set (RFC 7517) by which callers’ tokens are signed.',
  }),
  authAlgorithms: setting.list('RINGWAY_AUTH_ALGORITHMS', {
    default: ['RS256', 'ES256', 'EdDSA'],
    of: `some of ${jwksAlgorithms.join(' ')}`,
    item: (text) => (jwksAlgorithms.includes(text) ? undefined : `some of ${jwksAlgorithms.join(' ')}`),
    help: 'Algorithms that are accepted with RINGWAY_AUTH_JWKS_URL, whatever a token says of itself.',
  }),
  authIssuer: setting.string('RINGWAY_AUTH_ISSUER', { help: 'What `iss` of a caller’s token must be.' }),
  authAudience: setting.string('RINGWAY_AUTH_AUDIENCE', {
    help: 'What `aud` of a caller’s token must be, or hold.',
  }),
  authUserClaim: setting.string('RINGWAY_AUTH_USER_CLAIM', {
    default: 'sub',
    help: 'Claim of a caller’s token that holds the user id.',
  }),
  authCapClaim: setting.string('RINGWAY_AUTH_CAP_CLAIM', {
    default: 'cap',
    help: 'Claim of a caller’s token that holds what the session may do: {publish: [], join: [], presence: []}.',
  }),
  routeRate: setting.number('RINGWAY_ROUTE_RATE', {
    default: 20,
    min: 0.01,
    max: 1_000_000,
    unit: 'requests a second',
    help: 'How often a caller may ask /route in the long run.',
  }),
  routeBurst: setting.int('RINGWAY_ROUTE_BURST', {
    default: 40,
    min: 1,
    max: 1_000_000,
    unit: 'requests',
    help: 'How often a caller may ask /route at once.',
  }),
  maxLag: setting.duration('RINGWAY_MAX_LAG', {
    default: 500,
    min: 10,
    max: 3_600_000,
    help: 'How late the event loop may be; beyond that /route answers 503 with Retry-After, so that those who are answered are answered in time.',
  }),
  stopDelay: setting.duration('RINGWAY_STOP_DELAY', {
    default: 0,
    max: 300_000,
    help: 'How long /readyz says no before the listeners close, so that a balancer looks elsewhere first.',
  }),
});

/** What {@link locatorSettings} reads. */
export type LocatorSettings = Readonly<ValuesOf<typeof locatorSettings>>;

/** The certificates of both listeners, when given. @throws SettingsError */
export function listenerTls(settings: LocatorSettings): {
  readonly public?: TlsFiles;
  readonly internal?: TlsFiles;
} {
  const pub = tlsFiles(
    { cert: 'RINGWAY_PUBLIC_CERT', key: 'RINGWAY_PUBLIC_KEY' },
    settings.publicCert,
    settings.publicKey,
  );
  const internal = tlsFiles(
    { cert: 'RINGWAY_INTERNAL_CERT', key: 'RINGWAY_INTERNAL_KEY' },
    settings.internalCert,
    settings.internalKey,
  );
  return { ...(pub ? { public: pub } : {}), ...(internal ? { internal } : {}) };
}
