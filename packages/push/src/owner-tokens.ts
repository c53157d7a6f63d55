import type { OwnerAnswer } from '@ringway/protocol';
import { UnavailableError } from './errors.ts';
import type { NodeTokens } from './port.ts';

/** What {@link OwnerTokens} needs of a locator source. */
export interface OwnerLookup {
  /** `GET /owner?userId=` */
  owner(userId: string): Promise<OwnerAnswer>;
  /** Whether the node owns the channel on the ring last read. */
  owns(nodeId: string, channel: string): boolean;
}

/** A token is used until this long before its end, so that it still holds when it arrives. */
const MARGIN_MS = 10_000;
/** Names tried to find one that a node owns; a node with a thousandth of the ring is found all but surely. */
const TRIES = 20_000;

/**
 * Tokens handed out by `/owner`. That is asked for a user, and answers for the node that owns it; so, for a given node,
 * it is asked for a made-up user whose channel that node owns.
 */
export class OwnerTokens implements NodeTokens {
  readonly #lookup: OwnerLookup;
  readonly #cache = new Map<string, { readonly token: string; readonly until: number }>();
  readonly #asking = new Map<string, Promise<string>>();

  constructor(lookup: OwnerLookup) {
    this.#lookup = lookup;
  }

  tokenFor(nodeId: string): Promise<string> {
    const cached = this.#cache.get(nodeId);
    if (cached !== undefined && cached.until > Date.now()) return Promise.resolve(cached.token);
    const asking = this.#asking.get(nodeId);
    if (asking !== undefined) return asking;
    const asked = this.#ask(nodeId).finally(() => this.#asking.delete(nodeId));
    this.#asking.set(nodeId, asked);
    return asked;
  }

  forget(nodeId: string): void {
    this.#cache.delete(nodeId);
  }

  async #ask(nodeId: string): Promise<string> {
    for (let i = 0; i < TRIES; i++) {
      const userId = `token-${i}`;
      if (!this.#lookup.owns(nodeId, `user:${userId}`)) continue;
      const answer = await this.#lookup.owner(userId);
      this.#cache.set(answer.nodeId, { token: answer.token, until: answer.expiresAt - MARGIN_MS });
      if (answer.nodeId === nodeId) return answer.token;
      throw new UnavailableError(`the locator's ring gives ${answer.nodeId} what this one gives ${nodeId}`);
    }
    throw new UnavailableError(`${nodeId} is not on the ring, so no token can be had for it`);
  }
}
