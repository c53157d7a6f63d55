export { type Certificate, createTestCa, type TestCa } from './certificates.ts';
export { chromiumBinary, launchChromium } from './chromium.ts';
export {
  ALL_CAPABILITIES,
  type CallerOptions,
  Cluster,
  type ClusterOptions,
  type Env,
  startCluster,
} from './cluster.ts';
export { ClusterProcess, type ProcessSpec } from './cluster-process.ts';
export {
  ConsulAgent,
  ConsulCluster,
  type ConsulOptions,
  consulBinary,
  consulFile,
  startConsulClient,
  startConsulCluster,
  startDevConsul,
} from './consul.ts';
export { hasKafka, type KafkaBroker, type KafkaOptions, startKafka } from './kafka.ts';
export { freePort, freePorts } from './ports.ts';
export { type Exit, type LaunchOptions, launch, RunningProcess } from './process.ts';
export { RabbitmqServer, startRabbitmq } from './rabbitmq.ts';
export { type RedisOptions, RedisServer, startRedis } from './redis.ts';
export { RedisCluster, startRedisCluster } from './redis-cluster.ts';
export { type ProxyTarget, startTcpProxy, TcpProxy } from './tcp-proxy.ts';
export { type WaitOptions, WaitTimeoutError, waitFor } from './wait-for.ts';
