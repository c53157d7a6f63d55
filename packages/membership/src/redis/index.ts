export { redisWatching } from './reader.ts';
export {
  type OfferResult,
  REDIS_TIMINGS,
  type RedisHooks,
  type RedisRingOptions,
  type RedisTimings,
  type RedisTls,
} from './redis-options.ts';
export { sharedWatching } from './sharing.ts';
