export { type RedisSourceOptions, redisSource } from './redis-source.ts';
