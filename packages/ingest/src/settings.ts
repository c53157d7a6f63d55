import { type Setting, setting, sharedSettings, type ValuesOf } from '@ringway/service';

const { cluster, clusterKeys, logLevel } = sharedSettings;

/** Settings of `ringway ingest`. */
export const ingestSettings = Object.freeze({
  cluster,
  // the push SDK takes them once
  clusterKeys: Object.freeze({ ...clusterKeys, reload: false }) as typeof clusterKeys,
  logLevel,
  source: setting.choice('RINGWAY_INGEST_SOURCE', ['redis', 'kafka', 'rabbitmq'], {
    required: true,
    help: 'What kind of queue is read.',
  }),
  queue: setting.string('RINGWAY_INGEST_QUEUE', {
    required: true,
    pattern: /^\S{1,249}$/,
    expected: 'a name of 1 to 249 characters without spaces',
    help: 'The stream, topic or queue that is read.',
  }),
  mapping: setting.string('RINGWAY_INGEST_MAPPING', {
    required: true,
    expected: 'a path',
    help: 'Path of the JSON file that says what becomes of an event: to, data, id (docs/ingest.md).',
  }),
  deadLetter: setting.string('RINGWAY_INGEST_DEAD_LETTER', {
    pattern: /^\S{1,249}$/,
    expected: 'a name of 1 to 249 characters without spaces',
    help: 'The stream, topic or queue where messages are set aside that can never be published. By default RINGWAY_INGEST_QUEUE with .dead behind it.',
  }),
  group: setting.string('RINGWAY_INGEST_GROUP', {
    default: 'ringway',
    pattern: /^\S{1,249}$/,
    expected: 'a name of 1 to 249 characters without spaces',
    help: 'Consumer group of Redis and Kafka: its members share the messages.',
  }),
  consumer: setting.string('RINGWAY_INGEST_CONSUMER', {
    pattern: /^\S{1,249}$/,
    expected: 'a name of 1 to 249 characters without spaces',
    help: 'Name of this reader, the same at each of its starts, different for each of a group. By default the host’s name.',
  }),
  name: setting.string('RINGWAY_INGEST_NAME', {
    default: 'ingest',
    pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    expected: '1 to 64 letters, digits, . _ and -, the first a letter or digit',
    help: 'Messages come from service:NAME. The same for all readers of a queue: ids are unique for each sender.',
  }),
  maxInFlight: setting.int('RINGWAY_INGEST_MAX_IN_FLIGHT', {
    default: 256,
    min: 1,
    max: 65_535,
    unit: 'messages',
    help: 'Most messages that are read and not yet published or set aside.',
  }),
  publishTimeout: setting.duration('RINGWAY_INGEST_PUBLISH_TIMEOUT', {
    default: 10_000,
    min: 100,
    max: 600_000,
    help: 'How long one attempt to publish may take, before it is counted as a retry and begun anew.',
  }),
  locators: setting.list('RINGWAY_INGEST_LOCATORS', {
    default: [],
    of: 'URLs that begin with http:// or https://',
    item: (text) =>
      /^https?:$/.test(URL.parse(text)?.protocol ?? '')
        ? undefined
        : 'URLs that begin with http:// or https://',
    help: 'Internal listeners of locators, asked for the ring in this order. Left out, Consul is asked.',
  }),
  queueRedisUrl: setting.secret('RINGWAY_INGEST_REDIS_URL', {
    help: 'redis:// or rediss:// URL, with user and password where needed. By default redis://127.0.0.1:6379.',
  }),
  redisField: setting.string('RINGWAY_INGEST_REDIS_FIELD', {
    default: 'event',
    help: 'Field of an entry of the stream that holds the event.',
  }),
  redisClaimIdle: setting.duration('RINGWAY_INGEST_REDIS_CLAIM_IDLE', {
    default: 60_000,
    min: 1_000,
    max: 86_400_000,
    help: 'How long an entry lies unacknowledged with another reader before that one counts as dead and the entry is claimed.',
  }),
  kafkaBrokers: setting.list('RINGWAY_INGEST_KAFKA_BROKERS', {
    default: ['127.0.0.1:9092'],
    of: 'addresses like kafka-1:9092',
    item: (text) =>
      /^(\[[0-9a-fA-F:.]+\]|[^\s:]+):\d{1,5}$/.test(text) ? undefined : 'addresses like kafka-1:9092',
    help: 'Some brokers of the cluster.',
  }),
  kafkaSessionTimeout: setting.duration('RINGWAY_INGEST_KAFKA_SESSION_TIMEOUT', {
    default: 10_000,
    min: 500,
    max: 600_000,
    help: 'How long the group waits for a silent reader before others get its partitions. Within group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers.',
  }),
  kafkaTls: setting.flag('RINGWAY_INGEST_KAFKA_TLS', { help: 'The brokers speak TLS.' }),
  kafkaSasl: setting.choice('RINGWAY_INGEST_KAFKA_SASL', ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], {
    help: 'How this reader shows who it is. Left out, it does not.',
  }),
  kafkaUser: setting.string('RINGWAY_INGEST_KAFKA_USER', { help: 'User for RINGWAY_INGEST_KAFKA_SASL.' }),
  kafkaPassword: setting.secret('RINGWAY_INGEST_KAFKA_PASSWORD', {
    help: 'Password for RINGWAY_INGEST_KAFKA_SASL.',
  }),
  rabbitmqUrl: setting.secret('RINGWAY_INGEST_RABBITMQ_URL', {
    help: 'amqp:// or amqps:// URL, with user, password and virtual host. By default amqp://guest:guest@127.0.0.1:5672.',
  }),
  sourceCa: setting.string('RINGWAY_INGEST_SOURCE_CA', {
    expected: 'a path',
    help: 'Path of the PEM certificates by which the TLS of the queue is trusted; those of Node.js by default.',
  }),
  internalListen: setting.address('RINGWAY_INTERNAL_LISTEN', {
    default: { host: '127.0.0.1', port: 8071 },
    help: 'Where health checks and Prometheus reach the process.',
  }),
  internalCert: setting.string('RINGWAY_INTERNAL_CERT', {
    expected: 'a path',
    help: 'Path of the PEM certificate (with its chain) of the internal listener; https when given.',
  }),
  internalKey: setting.string('RINGWAY_INTERNAL_KEY', {
    expected: 'a path',
    help: 'Path of the PEM key of the internal listener.',
  }),
  internalCa: setting.string('RINGWAY_INTERNAL_CA', {
    expected: 'a path',
    help: 'Path of the PEM certificates by which the https of nodes and locators is trusted; those of Node.js by default.',
  }),
  stopGrace: setting.duration('RINGWAY_STOP_GRACE', {
    default: 10_000,
    min: 0,
    max: 3_600_000,
    help: 'Longest time a graceful stop may take, over all. What is unfinished by then goes back to the queue.',
  }),
} satisfies Readonly<Record<string, Setting<unknown>>>);

/** What {@link ingestSettings} reads. */
export type IngestSettings = Readonly<ValuesOf<typeof ingestSettings>>;
