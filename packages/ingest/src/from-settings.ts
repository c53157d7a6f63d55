import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { type Logger, readTls, SettingsError, tlsFiles } from '@ringway/service';
import { createIngest, type Ingest, type IngestPush } from './ingest.ts';
import { type Mapping, MappingError, parseMapping } from './mapping.ts';
import type { Source, SourceHooks } from './port.ts';
import type { IngestSettings } from './settings.ts';
import type { SourceOptions } from './source-options.ts';

/** What {@link configureIngest} needs beside the settings. */
export interface IngestParts {
  readonly logger: Logger;
  /** Called once everything else has been found right. */
  push(): IngestPush;
}

/** Makes an ingest as the settings say. @throws SettingsError */
export async function configureIngest(
  settings: IngestSettings,
  { logger, push }: IngestParts,
): Promise<Ingest> {
  const mapping = readMapping(settings.mapping);
  const tls = tlsFiles(
    { cert: 'RINGWAY_INTERNAL_CERT', key: 'RINGWAY_INTERNAL_KEY' },
    settings.internalCert,
    settings.internalKey,
  );
  if (tls) readTls(tls);
  const source = await sourceFrom(settings);
  return createIngest({
    source,
    mapping,
    push: push(),
    logger,
    maxInFlight: settings.maxInFlight,
    stopGraceMs: settings.stopGrace,
    listen: settings.internalListen,
    ...(tls && { tls }),
  });
}

function readMapping(path: string): Mapping {
  const name = 'RINGWAY_INGEST_MAPPING';
  const text = readText(name, path);
  try {
    return parseMapping(text);
  } catch (cause) {
    if (!(cause instanceof MappingError)) throw cause;
    throw new SettingsError(
      [{ name, given: path, expected: `a mapping (docs/ingest.md); ${cause.message}` }],
      {
        cause,
      },
    );
  }
}

/** Adapters are loaded when they are asked for: the libraries of the others need not be there. */
async function sourceFrom(settings: IngestSettings): Promise<(hooks: SourceHooks) => Source> {
  const { queue, deadLetter = `${queue}.dead`, consumer = hostname(), maxInFlight, group } = settings;
  if (deadLetter === queue) {
    throw new SettingsError([
      {
        name: 'RINGWAY_INGEST_DEAD_LETTER',
        given: deadLetter,
        expected: 'another one than RINGWAY_INGEST_QUEUE',
      },
    ]);
  }
  const ca =
    settings.sourceCa === undefined ? {} : { ca: readText('RINGWAY_INGEST_SOURCE_CA', settings.sourceCa) };
  const common = (hooks: SourceHooks): SourceOptions => ({
    ...{ queue, deadLetter, consumer, maxInFlight, hooks, random: Math.random },
  });
  switch (settings.source) {
    case 'redis': {
      const url = urlOf(
        'RINGWAY_INGEST_REDIS_URL',
        settings.queueRedisUrl ?? 'redis://127.0.0.1:6379',
        'redis',
      );
      const { RedisSource } = await import('./redis/redis-source.ts');
      const { redisField: field, redisClaimIdle: claimIdleMs } = settings;
      return (hooks) => new RedisSource({ ...common(hooks), ...ca, url, group, field, claimIdleMs });
    }
    case 'rabbitmq': {
      const given = settings.rabbitmqUrl ?? 'amqp://guest:guest@127.0.0.1:5672';
      const url = urlOf('RINGWAY_INGEST_RABBITMQ_URL', given, 'amqp');
      const { RabbitmqSource } = await import('./rabbitmq/rabbitmq-source.ts');
      return (hooks) => new RabbitmqSource({ ...common(hooks), ...ca, url });
    }
    case 'kafka': {
      const sasl = saslFrom(settings);
      const { KafkaSource } = await import('./kafka/kafka-source.ts');
      const { kafkaBrokers: brokers, kafkaSessionTimeout: sessionTimeoutMs } = settings;
      const tls = settings.kafkaTls || settings.sourceCa !== undefined ? { tls: ca } : {};
      return (hooks) =>
        new KafkaSource({
          ...common(hooks),
          ...tls,
          brokers,
          group,
          sessionTimeoutMs,
          ...(sasl && { sasl }),
        });
    }
  }
}

function saslFrom({ kafkaSasl: mechanism, kafkaUser: username, kafkaPassword: password }: IngestSettings) {
  if (mechanism === undefined) return undefined;
  const expected = 'a text, since RINGWAY_INGEST_KAFKA_SASL is given';
  if (username === undefined) throw new SettingsError([{ name: 'RINGWAY_INGEST_KAFKA_USER', expected }]);
  if (password === undefined) throw new SettingsError([{ name: 'RINGWAY_INGEST_KAFKA_PASSWORD', expected }]);
  return { mechanism, username, password };
}

/** It may hold a password: what was given is not told. */
function urlOf(name: string, text: string, scheme: string): string {
  const protocol = URL.parse(text)?.protocol;
  if (protocol === `${scheme}:` || protocol === `${scheme}s:`) return text;
  throw new SettingsError([{ name, expected: `a URL that begins with ${scheme}:// or ${scheme}s://` }]);
}

function readText(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SettingsError([{ name, given: path, expected: 'a file that can be read' }], { cause });
  }
}
