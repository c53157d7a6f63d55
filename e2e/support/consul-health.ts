import type { Cluster } from '@ringway/testkit';

interface HealthEntry {
  readonly Service: { readonly Meta: { readonly id: string } };
  readonly Checks: readonly { readonly Status: string }[];
}

/** Consul's health answer: node id -> the status of each of its checks. */
export async function consulHealth({ consul, name }: Cluster): Promise<Map<string, readonly string[]>> {
  const entries = (await consul.json('GET', `/v1/health/service/${name}-node`)) as HealthEntry[];
  return new Map(entries.map(({ Service, Checks }) => [Service.Meta.id, Checks.map(({ Status }) => Status)]));
}
