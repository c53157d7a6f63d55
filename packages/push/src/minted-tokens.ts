import { CLUSTER_TTL_SECONDS, type KeyFamily, mintClusterToken } from '@ringway/service';
import type { NodeTokens } from './port.ts';

/** A token is used until this long before its end, so that it still holds when it arrives. */
const MARGIN_MS = 15_000;

/** Who mints: the cluster's name, the backend's name, and the cluster's keys. */
export interface Identity {
  readonly keys: KeyFamily;
  readonly cluster: string;
  readonly name: string;
}

/** One token of scope push for an audience: a node id, or `locator`. */
export function mintPushToken(identity: Identity, audience: string): string {
  const { keys, cluster, name } = identity;
  return mintClusterToken(keys, { iss: cluster, sub: name, aud: audience, scope: 'push' });
}

/** Tokens made here with the cluster's keys, and kept until shortly before they end. */
export class MintedTokens implements NodeTokens {
  readonly #identity: Identity;
  readonly #cache = new Map<string, { readonly token: string; readonly until: number }>();

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  /** The same as {@link tokenFor}, for any audience, at once. */
  mint(audience: string): string {
    const now = Date.now();
    const cached = this.#cache.get(audience);
    if (cached !== undefined && cached.until > now) return cached.token;
    const token = mintPushToken(this.#identity, audience);
    this.#cache.set(audience, { token, until: now + CLUSTER_TTL_SECONDS * 1000 - MARGIN_MS });
    return token;
  }

  tokenFor(nodeId: string): Promise<string> {
    return Promise.resolve(this.mint(nodeId));
  }

  forget(nodeId: string): void {
    this.#cache.delete(nodeId);
  }
}
