import { type GroupPresence, HTTP, type UserPresence, userChannel } from '@ringway/protocol';
import { PushError } from './errors.ts';
import { checkedUser, checkGroup } from './groups.ts';
import type { Homes } from './homes.ts';
import type { Requests } from './requests.ts';

/** Most users in one request. */
const MOST_USERS = 1_000;

/** Asks who is there: each user of the user's home, one request a home as far as that goes. */
export class PresenceCalls {
  readonly #homes: Homes;
  readonly #requests: Requests;

  constructor(homes: Homes, requests: Requests) {
    this.#homes = homes;
    this.#requests = requests;
  }

  /** One answer for each user, in order. @throws PushError (as a rejection) */
  async users(userIds: readonly string[], debounced = false): Promise<UserPresence[]> {
    for (const userId of userIds) checkedUser(userId);
    const answers = new Array<UserPresence>(userIds.length);
    await Promise.all(
      this.#byHome(userIds).map(async (indexes) => {
        const users = indexes.map((index) => userIds[index] as string);
        const body = JSON.stringify({ users, debounced });
        // whoever is asked in the home's place knows whom to ask
        const channel = userChannel(users[0] as string);
        const answer = await this.#requests.ask('POST', channel, HTTP.presence, body);
        for (const [i, one] of (answer as { users: UserPresence[] }).users.entries())
          answers[indexes[i] as number] = one;
      }),
    );
    return answers;
  }

  async group(name: string): Promise<GroupPresence> {
    const channel = checkGroup(name);
    const path = `${HTTP.presence}?group=${encodeURIComponent(name)}`;
    return (await this.#requests.ask('GET', channel, path)) as GroupPresence;
  }

  #byHome(userIds: readonly string[]): number[][] {
    const ring = this.#homes.ring();
    const homes = new Map<string, number[]>();
    const lists: number[][] = [];
    for (const [index, userId] of userIds.entries()) {
      const home = ring instanceof PushError ? '' : this.#homes.of(ring, userChannel(userId)).id;
      let list = homes.get(home);
      if (!list || list.length >= MOST_USERS) {
        list = [];
        homes.set(home, list);
        lists.push(list);
      }
      list.push(index);
    }
    return lists;
  }
}
