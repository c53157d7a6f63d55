/**
 * The service of a cluster, in Consul and in what members sign: `ringway` -> `ringway-node`, `staging` -> `staging-node`.
 */
export function serviceName(cluster: string): string {
  return `${cluster}-node`;
}
