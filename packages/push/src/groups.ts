import {
  type GroupMembers,
  groupChannel,
  HTTP,
  isUserId,
  memberPath,
  membersPath,
  type UserGroups,
  userChannel,
} from '@ringway/protocol';
import { InvalidRequestError } from './errors.ts';
import type { Requests } from './requests.ts';

/** Whom backends have put into groups. */
export class Groups {
  readonly #requests: Requests;

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  async change(method: 'PUT' | 'DELETE', group: string, userId: string): Promise<void> {
    checkGroup(group);
    const channel = checkedUser(userId);
    if (isDots(userId))
      throw new InvalidRequestError(
        'invalid_user_id',
        'userId: expected another one than . and .., which no URL can name',
      );
    await this.#requests.ask(method, channel, memberPath(group, userId));
  }

  async members(group: string): Promise<readonly string[]> {
    const channel = checkGroup(group);
    const members: string[] = [];
    for (let more = true; more; ) {
      const last = members.at(-1);
      const query = last === undefined ? '' : `?after=${encodeURIComponent(last)}`;
      const page = (await this.#requests.ask('GET', channel, membersPath(group) + query)) as GroupMembers;
      members.push(...page.members);
      more = page.more;
    }
    return members;
  }

  async of(userId: string): Promise<readonly string[]> {
    const path = `${HTTP.groups}?userId=${encodeURIComponent(userId)}`;
    return ((await this.#requests.ask('GET', checkedUser(userId), path)) as UserGroups).groups;
  }
}

/** The channel of a group that may be one. */
export function checkGroup(group: unknown): string {
  // what holds for a user's id holds for a group's name
  if (isUserId(group) && !isDots(group)) return groupChannel(group);
  throw new InvalidRequestError(
    'invalid_channel',
    'group: expected a name of 1 to 256 bytes of UTF-8, without group:, and not . or .., which no URL can name',
  );
}

/** What every URL drops from its path, however it is written. */
function isDots(name: string): boolean {
  return name === '.' || name === '..';
}

/** The channel of a user that may be one. */
export function checkedUser(userId: unknown): string {
  if (isUserId(userId)) return userChannel(userId);
  throw new InvalidRequestError('invalid_user_id', 'userId: expected 1 to 256 bytes of UTF-8');
}
