import type { Member } from '@ringway/membership';
import { PROTOCOL } from '@ringway/protocol';
import { RING_FORMAT } from '@ringway/ring';
import { formatAddress, isLoopback, SettingsError } from '@ringway/service';
import type { NodeSettings } from './settings.ts';

/** Where others reach the node. */
export interface Addresses {
  readonly publicUrl: string;
  readonly internalUrl: string;
}

/**
 * Refuses a listener that is not on loopback without the URL by which others reach it, which cannot be guessed.
 *
 * @throws SettingsError
 */
export function checkAddresses(settings: NodeSettings): void {
  const { publicListen, internalListen, publicUrl, internalUrl } = settings;
  const problems = [
    { name: 'RINGWAY_PUBLIC_URL', url: publicUrl, whom: 'clients', listen: publicListen },
    { name: 'RINGWAY_INTERNAL_URL', url: internalUrl, whom: 'peers and backends', listen: internalListen },
  ].filter(({ url, listen }) => url === undefined && !isLoopback(listen.host));
  if (problems.length === 0) return;
  throw new SettingsError(
    problems.map(({ name, whom, listen }) => ({
      name,
      expected: `a URL by which ${whom} reach this node, since it listens on ${listen.host} (it is required)`,
    })),
  );
}

/** The URLs that the settings give, or those of the listeners, which are on loopback then ({@link checkAddresses}). */
export function addressesOf(
  settings: NodeSettings,
  ports: { readonly public: number; readonly internal: number },
  tls: { readonly public: boolean; readonly internal: boolean },
): Addresses {
  const { publicListen, internalListen } = settings;
  return {
    publicUrl: settings.publicUrl ?? urlOf(tls.public ? 'wss' : 'ws', publicListen.host, ports.public),
    internalUrl:
      settings.internalUrl ?? urlOf(tls.internal ? 'https' : 'http', internalListen.host, ports.internal),
  };
}

/** What one start of a node registers as. */
export function memberOf(
  { nodeId: id, weight }: NodeSettings,
  incarnation: string,
  { publicUrl, internalUrl }: Addresses,
): Member {
  return { id, incarnation, publicUrl, internalUrl, weight, ringFormat: RING_FORMAT, protocol: PROTOCOL };
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${formatAddress({ host, port })}`;
}
