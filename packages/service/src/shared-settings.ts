import { LOG_LEVELS } from './log.ts';
import { isLoopback, originProblem } from './origins.ts';
import { type Address, setting } from './setting.ts';
import { SettingsError } from './settings-error.ts';

/** Settings that locator and node have in common; spread them into a command's own table. */
export const sharedSettings = Object.freeze({
  cluster: setting.string('RINGWAY_CLUSTER', {
    default: 'ringway',
    pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/,
    expected: 'a name of letters, digits, - and _, at most 63 characters',
    help: 'Name of the cluster: prefix of its Consul service, and issuer of its tokens.',
  }),
  origins: setting.list('RINGWAY_ORIGINS', {
    default: [],
    of: 'origins like https://app.example.com or https://*.example.com, or *',
    item: originProblem,
    reload: true,
    help: 'Web pages that may use the cluster, by CORS and by the Origin of an upgrade. Requests without Origin are let through.',
  }),
  ticketKeys: setting.keys('RINGWAY_TICKET_KEYS', {
    required: true,
    reload: true,
    help: 'Keys of tickets, the same at locators and nodes. The newest comes first and signs; all are accepted.',
  }),
  clusterKeys: setting.keys('RINGWAY_CLUSTER_KEYS', {
    required: true,
    reload: true,
    help: 'Keys between nodes, and between backends and the cluster. The newest comes first and signs; all are accepted.',
  }),
  insecure: setting.flag('RINGWAY_INSECURE', {
    help: 'No authentication at all; starts only where both listeners are on loopback.',
  }),
  logLevel: setting.choice('RINGWAY_LOG_LEVEL', LOG_LEVELS, {
    default: 'info',
    reload: true,
    help: 'Least level that is logged.',
  }),
});

/** Refuses to go without authentication where others could reach the process. @throws SettingsError */
export function checkInsecure(settings: {
  readonly insecure: boolean;
  readonly publicListen: Address;
  readonly internalListen: Address;
}): void {
  if (!settings.insecure) return;
  const expected = 'a loopback host, since RINGWAY_INSECURE is on';
  const problems = [
    { name: 'RINGWAY_PUBLIC_LISTEN', host: settings.publicListen.host },
    { name: 'RINGWAY_INTERNAL_LISTEN', host: settings.internalListen.host },
  ].filter(({ host }) => !isLoopback(host));
  if (problems.length > 0)
    throw new SettingsError(problems.map(({ name, host }) => ({ name, given: host, expected })));
}
