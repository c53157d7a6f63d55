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
 * The URLs that the settings give, or those of the listeners where they are on loopback: an address that others can use
 * cannot be guessed.
 *
 * @throws SettingsError
 */
export function addressesOf(
  settings: NodeSettings,
  ports: { readonly public: number; readonly internal: number },
  tls: { readonly public: boolean; readonly internal: boolean },
): Addresses {
  const { publicListen, internalListen } = settings;
  return {
    publicUrl:
      settings.publicUrl ??
      guess('RINGWAY_PUBLIC_URL', tls.public ? 'wss' : 'ws', publicListen.host, ports.public),
    internalUrl:
      settings.internalUrl ??
      guess('RINGWAY_INTERNAL_URL', tls.internal ? 'https' : 'http', internalListen.host, ports.internal),
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

function guess(name: string, scheme: string, host: string, port: number): string {
  if (!isLoopback(host)) {
    throw new SettingsError([
      { name, expected: `a URL by which others reach this node, since it listens on ${host}` },
    ]);
  }
  return `${scheme}://${formatAddress({ host, port })}`;
}
