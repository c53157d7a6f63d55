import {
  type BackoffPolicy,
  DEFAULT_BACKOFF,
  type LinkClock,
  type SocketLike,
  systemClock,
} from '@ringway/link';

/** Makes a WebSocket: the browser's class, that of npm `ws`, or one of your own. */
export type WebSocketClass = new (url: string, protocols: string[]) => SocketLike;

/** Options of {@link RingwayClient}. Times in milliseconds; defaults in {@link CLIENT_DEFAULTS}. */
export interface ClientOptions {
  /** Base address of the locator, `https://ringway.example.com`; of several, each is tried in turn. */
  readonly locator: string | readonly string[];
  /** The application's own token for `/route`. Asked at first, when it was refused, and when a right has to be renewed. */
  readonly getToken?: () => string | Promise<string>;
  /** Whom to be; left out, whom the token says. */
  readonly userId?: string;
  /** Most publishes that may wait for an answer, those made while away among them. */
  readonly maxQueued?: number;
  /** How long a publish or a join may take, unless it says otherwise. */
  readonly publishTimeoutMs?: number;
  /** Bound of each step of a connect: one locator's answer, the socket's opening, and twice that for the welcome. */
  readonly connectTimeoutMs?: number;
  /** Attempts are forgotten only after a connection has lasted this long. */
  readonly minUptimeMs?: number;
  /** How long a node is left out of `/route` after it could not be reached. */
  readonly avoidMs?: number;
  /** Waits between attempts. */
  readonly backoff?: BackoffPolicy;
  /** The global one where left out. */
  readonly fetch?: typeof globalThis.fetch;
  /** The global one where left out; npm `ws` on Node. */
  readonly WebSocket?: WebSocketClass;
  readonly clock?: LinkClock;
  /** A random number in [0, 1), for waits. Ids never come from here. */
  readonly random?: () => number;
}

type Fallible = 'getToken' | 'userId';

/** Options with everything filled in. */
export type ResolvedOptions = Readonly<
  Required<Omit<ClientOptions, Fallible | 'locator'>> &
    Pick<ClientOptions, Fallible> & { locator: readonly string[] }
>;

export const CLIENT_DEFAULTS = Object.freeze({
  maxQueued: 1_000,
  publishTimeoutMs: 30_000,
  connectTimeoutMs: 5_000,
  minUptimeMs: 5_000,
  avoidMs: 30_000,
});

const HTTP_ADDRESS = /^https?:\/\/[^/?#]/;

function expected(name: string): 'number' | 'string' | 'object' | 'function' {
  if (name in CLIENT_DEFAULTS) return 'number';
  if (name === 'userId') return 'string';
  return name === 'locator' || name === 'clock' ? 'object' : 'function';
}

/** Fills in the defaults, refuses bad values by name, freezes. @throws TypeError */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const defaults = {
    backoff: DEFAULT_BACKOFF,
    fetch: globalThis.fetch?.bind(globalThis),
    WebSocket: globalThis.WebSocket,
    clock: systemClock,
    random: Math.random,
    ...CLIENT_DEFAULTS,
  };
  const resolved = { ...defaults, ...options, locator: [options.locator].flat() };
  const { locator } = resolved;
  if (!locator[0] || !locator.every((address) => HTTP_ADDRESS.test(address))) {
    throw new TypeError(`locator must be one http(s) address or several, it is "${locator}"`);
  }
  for (const [name, value] of Object.entries(resolved)) {
    if (!(name in defaults || /^(locator|getToken|userId)$/.test(name))) {
      throw new TypeError(`unknown option ${name}`);
    }
    const type = expected(name);
    if (typeof value !== type || value === '' || !((value as number) >= 0 || type !== 'number')) {
      throw new TypeError(
        `${name} must be a ${type}${type === 'number' ? ' of at least 0' : ''}, it is "${value}"`,
      );
    }
  }
  return Object.freeze(resolved);
}
