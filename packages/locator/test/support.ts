import { type Member, type Membership, MemoryRegistry, memoryMembership } from '@ringway/membership';
import { createLogger, KeyFamily, signCompact } from '@ringway/service';
import { createLocator, hs256Authenticate, type Locator, type LocatorOptions } from '../src/index.ts';

export const TICKET_KEYS = 't'.repeat(32);
export const CLUSTER_KEYS = 'c'.repeat(32);
export const AUTH_KEYS = 'a'.repeat(32);

export const ticketKeys = (): KeyFamily => KeyFamily.parse('RINGWAY_TICKET_KEYS', TICKET_KEYS);
export const clusterKeys = (): KeyFamily => KeyFamily.parse('RINGWAY_CLUSTER_KEYS', CLUSTER_KEYS);
export const authKeys = (): KeyFamily => KeyFamily.parse('RINGWAY_AUTH_KEYS', AUTH_KEYS);

export const silent = createLogger({ name: 'test', level: 'silent', pretty: false });

export const ANY_CLAIMS = {
  issuer: undefined,
  audience: undefined,
  userClaim: 'sub',
  capClaim: 'cap',
} as const;

/** A member with everything that a test does not care about filled in. */
export function member(id: string, more: Partial<Member> = {}): Member {
  return {
    id,
    incarnation: `${id}-1`,
    publicUrl: `wss://${id}.example.com`,
    internalUrl: `http://${id}.internal:8081`,
    weight: 1,
    ringFormat: 1,
    protocol: { min: 1, max: 1 },
    ...more,
  };
}

/** A caller's token, signed with the test's secret. */
export function callerToken(claims: object, family = authKeys()): string {
  return signCompact(family, 'JWT', JSON.stringify(claims));
}

/** The header that carries it. */
export function bearer(token: string): { headers: { authorization: string } } {
  return { headers: { authorization: `Bearer ${token}` } };
}

/** A running locator over a registry in this process; ends with the scope that holds it. */
export interface RunningLocator extends AsyncDisposable {
  readonly locator: Locator;
  readonly registry: MemoryRegistry;
  readonly membership: Membership;
}

/** Starts a locator with these members registered, its ring read. */
export async function startLocator(
  members: readonly Member[],
  options: Partial<LocatorOptions> = {},
): Promise<RunningLocator> {
  const registry = new MemoryRegistry();
  const membership = memoryMembership(registry);
  for (const one of members) await membership.register(one);
  const locator = createLocator({
    membership,
    ticketKeys: ticketKeys(),
    clusterKeys: clusterKeys(),
    authenticate: hs256Authenticate(authKeys(), ANY_CLAIMS, options.now),
    logger: silent,
    ...options,
  });
  await locator.start();
  await locator.whenReady();
  return {
    locator,
    registry,
    membership,
    async [Symbol.asyncDispose]() {
      await locator.stop();
      await membership.close();
    },
  };
}
