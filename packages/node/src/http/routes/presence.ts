import { isUtf8 } from 'node:buffer';
import {
  ERRORS,
  type GroupPresence,
  groupChannel,
  HTTP,
  isChannel,
  isUserId,
  type UserPresence,
} from '@ringway/protocol';
import type { FastifyInstance } from 'fastify';
import type { Presence } from '../../router/presence/port.ts';
import { type CallerOptions, callerOf } from '../caller.ts';
import { streamPresence } from '../presence-stream.ts';
import { HttpProblem } from '../problem.ts';

export interface PresenceRoutesOptions extends CallerOptions {
  readonly presence: Presence | undefined;
  readonly maxListUsers: number;
}

/** Most users that a stream may name. */
const MAX_STREAM_USERS = 100;
/** When to ask again for a stream where there are too many, in milliseconds. */
const STREAMS_RETRY_MS = 5_000;

interface Query {
  readonly userId?: string | string[];
  readonly group?: string | string[];
  readonly debounced?: string;
}

/** `GET` and `POST /presence`: who is there. `GET /presence/events`: who comes and goes, as server-sent events. */
export function presenceRoutes(app: FastifyInstance, options: PresenceRoutesOptions): void {
  const { maxListUsers, nodeId } = options;
  app.get<{ Querystring: Query }>(HTTP.presence, (request) => {
    callerOf(options, request);
    const presence = offered(options.presence);
    const { userId, group, debounced } = request.query;
    if ((userId === undefined) === (group === undefined))
      throw new HttpProblem('bad_request', 'expected userId, which may be repeated, or group');
    if (debounced !== undefined && debounced !== 'true' && debounced !== 'false')
      throw new HttpProblem('bad_request', 'debounced: expected true or false');
    if (group === undefined)
      return ask(presence, usersOf(userId, 'userId', maxListUsers), debounced === 'true');
    if (typeof group !== 'string' || !isChannel(groupChannel(group)))
      throw new HttpProblem('bad_request', 'group: expected one name of 1 to 256 bytes of UTF-8');
    return members(presence, group);
  });
  app.post(HTTP.presence, (request) => {
    callerOf(options, request);
    const presence = offered(options.presence);
    const { users, debounced } = bodyOf(request.body);
    if (debounced !== undefined && typeof debounced !== 'boolean')
      throw new HttpProblem('bad_request', 'debounced: expected true or false');
    return ask(presence, usersOf(users, 'users', maxListUsers), debounced === true);
  });
  // a HEAD would begin a stream that shows nothing, and never ends
  app.get<{ Querystring: Query }>(HTTP.presenceEvents, { exposeHeadRoute: false }, (request, reply) => {
    callerOf(options, request);
    const presence = offered(options.presence);
    const { userId } = request.query;
    const users = userId === undefined ? undefined : usersOf(userId, 'userId', MAX_STREAM_USERS);
    const began = streamPresence(reply.raw, nodeId, (listener) => presence.follow(users, listener));
    if (!began)
      throw new HttpProblem(
        'overloaded',
        'as many streams as RINGWAY_PRESENCE_STREAMS allows',
        STREAMS_RETRY_MS,
      );
    reply.hijack();
  });
}

function offered(presence: Presence | undefined): Presence {
  if (presence) return presence;
  throw new HttpProblem('not_found', 'presence needs RINGWAY_ROUTER=ring: no node is home of a user here');
}

function ask(
  presence: Presence,
  users: readonly string[],
  debounced: boolean,
): Promise<{ users: readonly UserPresence[] }> {
  return new Promise((resolve) =>
    presence.ask(users, { debounced }, (answers) => resolve({ users: answers })),
  );
}

function members(presence: Presence, group: string): Promise<GroupPresence> {
  return new Promise((resolve, reject) =>
    presence.members(group, (answer) => {
      if (answer) resolve(answer);
      else reject(new HttpProblem('unavailable', 'the home of the group did not answer'));
    }),
  );
}

function usersOf(value: unknown, field: string, most: number): readonly string[] {
  const users = Array.isArray(value) ? value : [value];
  if (users.length > most)
    throw new HttpProblem('list_too_long', `${field}: ${users.length} users, at most ${most} are allowed`);
  if (users.every(isUserId)) return users;
  throw new HttpProblem('invalid_user_id', `${field}: ${ERRORS.invalid_user_id.means}`);
}

function bodyOf(body: unknown): { readonly users: unknown[]; readonly debounced: unknown } {
  if (!Buffer.isBuffer(body))
    throw new HttpProblem('bad_request', 'expected a body of type application/json');
  const value = isUtf8(body) ? parse(body.toString('utf8')) : undefined;
  if (typeof value === 'object' && value !== null && 'users' in value && Array.isArray(value.users))
    return { users: value.users, debounced: 'debounced' in value ? value.debounced : undefined };
  throw new HttpProblem('bad_request', 'expected {"users": [user ids]}');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
