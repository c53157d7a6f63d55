import { type GroupMember, type GroupMembers, HTTP, type UserGroups } from '@ringway/protocol';
import type { FastifyInstance } from 'fastify';
import {
  MOST_MEMBERS_A_PAGE,
  type Roster,
  RosterFullError,
  RosterRefusedError,
  RosterUnknownError,
} from '../../groups/port.ts';
import { type CallerOptions, callerOf } from '../caller.ts';
import { groupOf, HttpProblem, userIdOf } from '../problem.ts';

export interface GroupRoutesOptions extends CallerOptions {
  readonly roster: Roster;
}

interface OneMember {
  Params: { group: string; userId: string };
}

interface SomeMembers {
  Params: { group: string };
  Querystring: { after?: string; limit?: string };
}

/** `PUT`, `DELETE /groups/NAME/members/USER`; `GET /groups/NAME/members`, `GET /groups?userId=`. */
export function groupRoutes(app: FastifyInstance, options: GroupRoutesOptions): void {
  const { roster } = options;
  const members = `${HTTP.groups}/:group/members`;
  app.put<OneMember>(`${members}/:userId`, async (request): Promise<GroupMember> => {
    callerOf(options, request);
    const [group, userId] = [groupOf(request.params.group), userIdOf(request.params.userId)];
    await answered(roster.put(userId, group));
    return { group, userId };
  });
  app.delete<OneMember>(`${members}/:userId`, async (request): Promise<GroupMember> => {
    callerOf(options, request);
    const [group, userId] = [groupOf(request.params.group), userIdOf(request.params.userId)];
    await answered(roster.remove(userId, group));
    return { group, userId };
  });
  app.get<SomeMembers>(members, async (request): Promise<GroupMembers> => {
    callerOf(options, request);
    const group = groupOf(request.params.group);
    const { after = '', limit } = request.query;
    if (after !== '') userIdOf(after);
    return { group, ...(await answered(roster.membersOf(group, after, limitOf(limit)))) };
  });
  app.get<{ Querystring: { userId?: string } }>(HTTP.groups, async (request): Promise<UserGroups> => {
    callerOf(options, request);
    const userId = userIdOf(request.query.userId);
    return { userId, groups: await answered(roster.groupsOf(userId)) };
  });
}

function limitOf(text: string | undefined): number {
  const limit = Number(text ?? MOST_MEMBERS_A_PAGE);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOST_MEMBERS_A_PAGE) return limit;
  throw new HttpProblem('bad_request', `limit: expected a whole number from 1 to ${MOST_MEMBERS_A_PAGE}`);
}

/** What the roster answers, and its errors as the caller is told them. */
async function answered<T>(answer: T | Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof RosterFullError) throw new HttpProblem('limit_reached', message);
    if (error instanceof RosterRefusedError)
      throw new HttpProblem('unavailable', `nothing was changed: ${message}`);
    if (error instanceof RosterUnknownError)
      throw new HttpProblem('unknown', `it may hold or not, ask for it again: ${message}`);
    throw error;
  }
}
