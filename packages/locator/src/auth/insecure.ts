import { type Capabilities, isUserId } from '@ringway/protocol';
import { InvalidUserIdError } from './errors.ts';
import type { Authenticate } from './port.ts';

/** Everything, for `ringway dev`. */
export const ALL_CAPABILITIES: Capabilities = Object.freeze({
  publish: Object.freeze(['*']),
  join: Object.freeze(['*']),
  presence: Object.freeze(['*']),
});

/** Everyone is who they say they are in `?userId=`, and may do the same. For loopback only. */
export function insecureAuthenticate(cap: Capabilities): Authenticate {
  return ({ userId }) => {
    if (!isUserId(userId)) throw new InvalidUserIdError('parameter userId');
    return { userId, cap };
  };
}
