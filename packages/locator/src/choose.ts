import type { Member } from '@ringway/membership';
import { userChannel } from '@ringway/protocol';
import type { Ring } from '@ringway/ring';

/** Most `avoid` parameters in one request. */
export const MAX_AVOID = 4;

/** Where a user is sent. `avoided` when it is not the user's home, because the caller asked to avoid that. */
export interface Choice {
  readonly member: Member;
  readonly avoided: boolean;
}

/**
 * The home of the user's channel, or the first after it that is not to be avoided. When all are to be avoided the home
 * is as good as any. Undefined on an empty ring.
 */
export function chooseMember(
  ring: Ring<Member>,
  userId: string,
  avoid: readonly string[],
): Choice | undefined {
  const key = userChannel(userId);
  if (avoid.length > 0) {
    const candidates = ring.owners(key, avoid.length + 1);
    const member = candidates.find(({ id }) => !avoid.includes(id));
    if (member !== undefined) return { member, avoided: member !== candidates[0] };
  }
  const member = ring.owner(key);
  return member === undefined ? undefined : { member, avoided: false };
}
