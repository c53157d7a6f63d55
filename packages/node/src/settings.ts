import { isLoopback, SettingsError, setting, sharedSettings, type ValuesOf } from '@ringway/service';

const PER_SESSION = 'a session';

/** Settings of `ringway node`. */
export const nodeSettings = Object.freeze({
  ...sharedSettings,
  nodeId: setting.string('RINGWAY_NODE_ID', {
    required: true,
    pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    expected: '1 to 64 letters, digits, . _ and -, the first a letter or digit',
    help: 'Name of the node in the ring; stable across restarts, different for each node.',
  }),
  weight: setting.number('RINGWAY_WEIGHT', {
    default: 1,
    min: 0.01,
    max: 100,
    help: 'Share of the users relative to the other nodes.',
  }),
  publicListen: setting.address('RINGWAY_PUBLIC_LISTEN', {
    default: { host: '127.0.0.1', port: 8090 },
    help: 'Where clients open their sockets.',
  }),
  internalListen: setting.address('RINGWAY_INTERNAL_LISTEN', {
    default: { host: '127.0.0.1', port: 8091 },
    help: 'Where peers, backends, health checks and Prometheus reach the node.',
  }),
  publicUrl: setting.url('RINGWAY_PUBLIC_URL', {
    protocols: ['wss:', 'ws:'],
    check: (url) =>
      url.protocol === 'wss:' || isLoopback(url.hostname)
        ? undefined
        : 'a wss URL (ws is allowed on loopback only)',
    help: 'Where clients reach the node, as they see it; a path prefix is allowed (wss://ws.example.com/n/node-2). Required unless RINGWAY_PUBLIC_LISTEN is on loopback; made from that then.',
  }),
  internalUrl: setting.url('RINGWAY_INTERNAL_URL', {
    protocols: ['https:', 'http:'],
    help: 'Where peers and backends reach the node. Required unless RINGWAY_INTERNAL_LISTEN is on loopback; made from that then.',
  }),
  publicCert: setting.string('RINGWAY_PUBLIC_CERT', {
    reload: true,
    help: 'Path of the PEM certificate (with its chain) of the public listener; wss when given.',
  }),
  publicKey: setting.string('RINGWAY_PUBLIC_KEY', {
    reload: true,
    help: 'Path of the PEM key of the public listener.',
  }),
  internalCert: setting.string('RINGWAY_INTERNAL_CERT', {
    reload: true,
    help: 'Path of the PEM certificate (with its chain) of the internal listener; https when given.',
  }),
  internalKey: setting.string('RINGWAY_INTERNAL_KEY', {
    reload: true,
    help: 'Path of the PEM key of the internal listener.',
  }),
  internalCa: setting.string('RINGWAY_INTERNAL_CA', {
    help: 'Path of the PEM certificates by which peers’ https is trusted; those of Node.js by default.',
  }),
  maxSessions: setting.int('RINGWAY_MAX_SESSIONS', {
    default: 50_000,
    min: 1,
    max: 10_000_000,
    unit: 'sessions',
    help: 'Most sessions on the node; beyond that a client is sent elsewhere (close code 4503).',
  }),
  maxUserSessions: setting.int('RINGWAY_MAX_USER_SESSIONS', {
    default: 16,
    min: 1,
    max: 10_000,
    unit: 'sessions',
    help: 'Most sessions of one user on the node (close code 4510).',
  }),
  maxUnauthenticated: setting.int('RINGWAY_MAX_UNAUTHENTICATED', {
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: 'sockets an address',
    help: 'Most sockets of one address that have not shown a valid ticket yet.',
  }),
  headerTimeout: setting.duration('RINGWAY_HEADER_TIMEOUT', {
    default: 5_000,
    min: 100,
    max: 60_000,
    help: 'Longest time for the TLS handshake, and for the headers after it.',
  }),
  frameBytes: setting.bytes('RINGWAY_FRAME_BYTES', {
    default: 64 * 1024,
    min: 1_024,
    max: 1024 * 1024,
    help: 'Largest frame of a client (close code 1009).',
  }),
  bodyBytes: setting.bytes('RINGWAY_BODY_BYTES', {
    default: 1024 * 1024,
    min: 1_024,
    max: 16 * 1024 * 1024,
    help: 'Largest body of a request to the internal listener.',
  }),
  publishesPerSecond: setting.int('RINGWAY_PUBLISHES_PER_SECOND', {
    default: 100,
    min: 1,
    max: 10_000_000,
    unit: `publishes a second, ${PER_SESSION}`,
    help: 'How often a session may publish in the long run; twice that at once.',
  }),
  maxListUsers: setting.int('RINGWAY_MAX_LIST_USERS', {
    default: 10_000,
    min: 1,
    max: 100_000,
    unit: 'users',
    help: 'Most users in the list of one publish.',
  }),
  maxGroups: setting.int('RINGWAY_MAX_GROUPS', {
    default: 100,
    min: 0,
    max: 100_000,
    unit: `groups ${PER_SESSION}`,
    help: 'Most groups that a session may have joined by itself; those that backends put its user in are not counted.',
  }),
  maxUserGroups: setting.int('RINGWAY_MAX_USER_GROUPS', {
    default: 1_000,
    min: 1,
    max: 10_000,
    unit: 'groups a user',
    help: 'Most groups that backends may put a user in (PUT /groups/NAME/members/USER).',
  }),
  maxMemberships: setting.int('RINGWAY_MAX_MEMBERSHIPS', {
    default: 1_000_000,
    min: 1,
    max: 10_000_000,
    unit: 'memberships',
    help: 'Without Redis: most memberships that backends may make in all, which every node keeps in its memory; as many that have ended within the last hour are remembered. In Redis they are bounded by its maxmemory.',
  }),
  waitingBytes: setting.bytes('RINGWAY_WAITING_BYTES', {
    default: 1024 * 1024,
    min: 64 * 1024,
    max: 1024 * 1024 * 1024,
    help: 'Most bytes waiting for one client; beyond that it is too slow (close code 4504). At half of it what is logged goes to it from the log, as it takes it.',
  }),
  peerWaitingBytes: setting.bytes('RINGWAY_PEER_WAITING_BYTES', {
    default: 32 * 1024 * 1024,
    min: 1024 * 1024,
    max: 4 * 1024 * 1024 * 1024,
    help: 'Most bytes waiting for one peer, and in all for homes that cannot be reached. At a sixteenth of it, clients that publish to that peer are read no further.',
  }),
  pingInterval: setting.duration('RINGWAY_PING_INTERVAL', {
    default: 25_000,
    min: 200,
    max: 600_000,
    help: 'How often a session is pinged.',
  }),
  pingTimeout: setting.duration('RINGWAY_PING_TIMEOUT', {
    default: 10_000,
    min: 100,
    max: 600_000,
    help: 'How long after a ping a silent client is given up (close code 4507). Not above the interval.',
  }),
  linkTimeout: setting.duration('RINGWAY_LINK_TIMEOUT', {
    default: 3_000,
    min: 200,
    max: 60_000,
    help: 'How long after its last word a peer counts as unheard, even when the network says nothing.',
  }),
  homeTimeout: setting.duration('RINGWAY_HOME_TIMEOUT', {
    default: 5_000,
    min: 100,
    max: 60_000,
    help: 'How long a publish or a new session waits for a home that cannot be reached.',
  }),
  presenceDebounce: setting.duration('RINGWAY_PRESENCE_DEBOUNCE', {
    default: 5_000,
    min: 500,
    max: 600_000,
    help: 'How long a user must be without a session until those who watch are told; a home that is new does not call anybody offline for so long. After a crash clients take up to 3 s to come back.',
  }),
  presenceStreams: setting.int('RINGWAY_PRESENCE_STREAMS', {
    default: 64,
    min: 0,
    max: 10_000,
    unit: 'streams',
    help: 'Most streams of presence events that backends may have open at the node.',
  }),
  expiringNotice: setting.duration('RINGWAY_EXPIRING_NOTICE', {
    default: 60_000,
    min: 1_000,
    max: 3_600_000,
    help: 'How long before the end of its right a session is told.',
  }),
  router: setting.choice('RINGWAY_ROUTER', ['ring', 'directory', 'broadcast'], {
    default: 'ring',
    help: 'How messages get from node to node; the same at all nodes of a cluster. ring: straight, by way of the channel’s home. directory: by queues in Redis, to the nodes that stand there for the channel. broadcast: by one channel of Redis to all nodes.',
  }),
  directoryTtl: setting.duration('RINGWAY_DIRECTORY_TTL', {
    default: 10_000,
    min: 500,
    max: 3_600_000,
    help: 'Directory: within this time after a node’s last word its entries are gone.',
  }),
  directoryQueue: setting.int('RINGWAY_DIRECTORY_QUEUE', {
    default: 10_000,
    min: 256,
    max: 10_000_000,
    unit: 'parcels',
    help: 'Directory: most parcels (messages, or parts of lists) that wait in Redis for one node. What comes beyond that the node reads from the log, or, without one in Redis, tells as a gap.',
  }),
  log: setting.choice('RINGWAY_LOG', ['memory', 'redis'], {
    default: 'memory',
    help: 'Where the messages of channels are kept for those who missed them; the same at all nodes of a cluster. With redis nothing confirmed is lost with a node.',
  }),
  logMessages: setting.int('RINGWAY_LOG_MESSAGES', {
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: 'messages a channel',
    help: 'Most messages that the log keeps of a channel; in Redis up to an eighth more.',
  }),
  logBytes: setting.bytes('RINGWAY_LOG_BYTES', {
    default: 256 * 1024 * 1024,
    min: 1024 * 1024,
    max: 64 * 1024 * 1024 * 1024,
    help: 'Memory log: most memory that it takes, over all channels. Redis log: most bytes of the messages of one channel; all of them together are bounded by Redis’s maxmemory.',
  }),
  logAge: setting.duration('RINGWAY_LOG_AGE', {
    default: 120_000,
    min: 1_000,
    max: 86_400_000,
    help: 'How long the log keeps a message. In Redis the last ones of a channel stay up to a quarter longer.',
  }),
  logTimeout: setting.duration('RINGWAY_LOG_TIMEOUT', {
    default: 2_000,
    min: 50,
    max: 60_000,
    help: 'Redis log, directory, broadcast and groups in Redis: how long Redis may take to answer. After that it is not known whether a message, or a membership, was stored.',
  }),
  logReplicas: setting.int('RINGWAY_LOG_REPLICAS', {
    default: 0,
    min: 0,
    max: 10,
    unit: 'replicas',
    help: 'Redis log: how many replicas must have a message, too, before it counts as published (WAIT). With fewer in half of RINGWAY_LOG_TIMEOUT it is not known whether it will last.',
  }),
  redisUrl: setting.secret('RINGWAY_REDIS_URL', {
    help: 'Redis: redis://user:password@host:6379/0, or rediss:// for TLS. Several, separated by commas, are nodes of one Redis Cluster. Its maxmemory-policy must be noeviction. Where it is given, whom backends have put into groups is kept there, whatever the router and the log: at all nodes of a cluster or at none.',
  }),
  redisCa: setting.string('RINGWAY_REDIS_CA', {
    help: 'Path of the PEM certificates by which rediss:// is trusted; those of Node.js by default.',
  }),
  startTimeout: setting.duration('RINGWAY_START_TIMEOUT', {
    default: 30_000,
    min: 100,
    max: 3_600_000,
    help: 'Longest time for the first connection to Redis, for the first reading of the ring, and for registering, each; after that the process ends with 1, for its supervisor to start it again.',
  }),
  stopGrace: setting.duration('RINGWAY_STOP_GRACE', {
    default: 25_000,
    min: 0,
    max: 3_600_000,
    help: 'Longest time a drain or a graceful stop may take, over all. Give the supervisor 5 s more.',
  }),
  stopSpread: setting.duration('RINGWAY_STOP_SPREAD', {
    default: 500,
    min: 0,
    max: 600_000,
    help: 'Over how long a stopping node spreads the closing of those of its sessions that have not moved, so that they do not all come back at one moment.',
  }),
  move: setting.choice('RINGWAY_MOVE', ['overlap', 'close', 'off'], {
    default: 'overlap',
    help: 'How sessions get to their new home after a change of the ring: overlap tells them to connect there first; close ends them (4600), spread in the same way; off leaves them where they are, and lets a drain close all.',
  }),
  moveRate: setting.number('RINGWAY_MOVE_RATE', {
    default: 500,
    min: 0.1,
    max: 1_000_000,
    unit: 'sessions a second',
    help: 'How fast a node moves sessions. A drain goes faster where its grace asks for it.',
  }),
  moveSpread: setting.duration('RINGWAY_MOVE_SPREAD', {
    default: 1_000,
    min: 0,
    max: 3_600_000,
    help: 'Least time over which a node spreads the moves after a change of the ring.',
  }),
  moveDeadline: setting.duration('RINGWAY_MOVE_DEADLINE', {
    default: 10_000,
    min: 100,
    max: 600_000,
    help: 'How long a session that was told to move may take; then it is closed (4600).',
  }),
});

/** What {@link nodeSettings} reads. */
export type NodeSettings = Readonly<ValuesOf<typeof nodeSettings>>;

/** Refuses a time to wait for a pong that is longer than the time between two pings. @throws SettingsError */
export function checkPings({ pingInterval, pingTimeout }: NodeSettings): void {
  if (pingTimeout <= pingInterval) return;
  const expected = `at most RINGWAY_PING_INTERVAL, which is ${pingInterval} ms`;
  throw new SettingsError([{ name: 'RINGWAY_PING_TIMEOUT', given: `${pingTimeout}ms`, expected }]);
}
