import { type Logger, readAuthorities, SettingsError } from '@ringway/service';
import type { Registry } from 'prom-client';
import type { NodeSettings } from '../settings.ts';
import { type Epochs, MemoryLog } from './memory.ts';
import type { Log } from './port.ts';
import { RedisLog } from './redis.ts';
import { RedisLogMetrics } from './redis-metrics.ts';
import { type RedisAddress, redisAddress } from './redis-url.ts';

/** The log that the settings ask for, with what its keeping needs. */
export interface OpenedLog {
  readonly log: Log;
  /** Resolves once the log can be written to. */
  start(): Promise<void>;
  /** To be called now and then. */
  sweep(): void;
  /** Memory of this process that kept messages take, as an estimate. */
  keptBytes(): number;
  /** Adds what this log measures beside that. */
  register(registry: Registry): void;
}

/** What a log needs beside its settings. */
export interface LogContext {
  readonly epochs: Epochs;
  readonly logger: Logger;
  readonly random: () => number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/** Opens the log; nothing is connected before `start`. @throws SettingsError */
export function openLog(settings: NodeSettings, context: LogContext): OpenedLog {
  return settings.log === 'redis' ? redisLog(settings, context) : memoryLog(settings, context);
}

function memoryLog(settings: NodeSettings, { epochs, now }: LogContext): OpenedLog {
  const log = new MemoryLog({
    epochs,
    channelMessages: settings.logMessages,
    totalBytes: settings.logBytes,
    retentionMs: settings.logAge,
    channels: Math.max(100_000, 4 * settings.maxSessions),
    now,
  });
  return {
    log,
    start: () => Promise.resolve(),
    sweep: () => log.sweep(),
    keptBytes: () => log.keptBytes,
    register() {},
  };
}

function redisLog(settings: NodeSettings, { logger, random, now }: LogContext): OpenedLog {
  const metrics = new RedisLogMetrics();
  const log = new RedisLog({
    address: redisAddressFrom(settings.redisUrl, 'RINGWAY_LOG is redis'),
    cluster: settings.cluster,
    bounds: { messages: settings.logMessages, bytes: settings.logBytes, ageMs: settings.logAge },
    replicas: settings.logReplicas,
    timeoutMs: settings.logTimeout,
    name: `${settings.cluster}:${settings.nodeId}`,
    ca: settings.redisCa && readAuthorities('RINGWAY_REDIS_CA', settings.redisCa),
    logger,
    hooks: metrics,
    random,
    now,
  });
  return {
    log,
    start: () => log.start(),
    sweep() {},
    keptBytes: () => 0,
    register: (registry) => metrics.register(registry, () => log.connected),
  };
}

/** Where Redis is, by the settings. `because` says why it is needed. @throws SettingsError */
export function redisAddressFrom(text: string | undefined, because: string): RedisAddress {
  const name = 'RINGWAY_REDIS_URL';
  if (text === undefined)
    throw new SettingsError([{ name, expected: `a URL like redis://host:6379, since ${because}` }]);
  try {
    return redisAddress(text.split(',').map((url) => url.trim()));
  } catch (cause) {
    // what was given may hold a password
    if (!(cause instanceof TypeError)) throw cause;
    throw new SettingsError([{ name, expected: cause.message.replace(/^expected /, '') }], { cause });
  }
}
