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
export { freePort, freePorts } from './ports.ts';
export { type Exit, type LaunchOptions, launch, RunningProcess } from './process.ts';
