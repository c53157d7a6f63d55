import type { Position } from '@ringway/protocol';
import { createLogger } from '@ringway/service';
import type { Appended, LoggedMessage } from '../../src/log/port.ts';
import { RedisLog, type RedisLogOptions } from '../../src/log/redis.ts';
import { redisAddress } from '../../src/log/redis-url.ts';

/** A Redis log as a test wants it, made but not started; `urls` are separated by commas. */
export function redisLog(urls: string, options: Partial<RedisLogOptions> = {}): RedisLog {
  return new RedisLog({
    address: redisAddress(urls.split(',')),
    cluster: 'test',
    bounds: { messages: 1000, bytes: 100_000_000, ageMs: 60_000 },
    replicas: 0,
    timeoutMs: 10_000,
    name: 'test',
    logger: createLogger({ name: 'test', level: 'silent', pretty: false }),
    hooks: { failed() {}, answered() {}, unfit() {} },
    random: Math.random,
    now: () => performance.now(),
    ...options,
  });
}

/** The same, started. */
export async function openRedisLog(urls: string, options: Partial<RedisLogOptions> = {}): Promise<RedisLog> {
  const log = redisLog(urls, options);
  await log.start();
  return log;
}

/** The message of an append that must have stored it. */
export function stored(appended: Appended): LoggedMessage {
  if (appended.kind !== 'appended') throw new Error(`it was taken for a ${appended.kind}`);
  return appended.message;
}

/** What became of a call: its value, `refused`, or `unknown`. */
export async function outcome<T>(call: Promise<T>): Promise<T | 'refused' | 'unknown'> {
  try {
    return await call;
  } catch (error) {
    return (error as { code?: unknown }).code === 'log_refused' ? 'refused' : 'unknown';
  }
}

export function place(position: Position): string {
  return `${position.epoch}/${position.seq}`;
}

/** Closes the log with its scope. */
export function disposable(log: RedisLog): RedisLog & AsyncDisposable {
  return Object.assign(log, { [Symbol.asyncDispose]: () => log.close() });
}
