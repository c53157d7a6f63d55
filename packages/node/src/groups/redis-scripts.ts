import { redisScript } from '../log/redis-script.ts';

/**
 * Memberships in Redis, behind one hash tag (KEYS[1], `P`), so that each step is one script:
 *
 * - `P:u:USER` a set, the groups of the user
 * - `P:g:GROUP` a sorted set, its members, all with the same score: in the order of their bytes
 * - `P:n` how many changes there were
 * - `P:changes` a channel, each change as `NUMBER:TEXT`
 *
 * Every write that needs memory comes before every one that does not: a full Redis refuses the first, and none is half done.
 */
const PRELUDE = `
local call, P = redis.call, KEYS[1]

local function tell(text)
  call('PUBLISH', P .. ':changes', call('INCR', P .. ':n') .. ':' .. text)
end
`;

/** ARGV: user, group, text of the change, most groups of a user. Reply: 1, or 0 where the user is in so many. */
export const putScript = redisScript(`${PRELUDE}
local user, group = P .. ':u:' .. ARGV[1], P .. ':g:' .. ARGV[2]
if call('SISMEMBER', user, ARGV[2]) == 1 then return 1 end
if call('SCARD', user) >= tonumber(ARGV[4]) then return 0 end
call('ZADD', group, 0, ARGV[1])
call('SADD', user, ARGV[2])
tell(ARGV[3])
return 1
`);

/** ARGV: user, group, text of the change. It is told also where there was no membership. */
export const removeScript = redisScript(`${PRELUDE}
call('ZREM', P .. ':g:' .. ARGV[2], ARGV[1])
call('SREM', P .. ':u:' .. ARGV[1], ARGV[2])
tell(ARGV[3])
return 1
`);

/** ARGV: users. Reply: the groups of each. */
export const groupsScript = redisScript(`${PRELUDE}
local replies = {}
for i, user in ipairs(ARGV) do replies[i] = call('SMEMBERS', P .. ':u:' .. user) end
return replies
`);

/** ARGV: group, where to begin, how many. */
export const membersScript = redisScript(`${PRELUDE}
return call('ZRANGEBYLEX', P .. ':g:' .. ARGV[1], ARGV[2], '+', 'LIMIT', 0, ARGV[3])
`);

/** Reply: the number of the last change. */
export const countScript = redisScript(`${PRELUDE}
return tonumber(call('GET', P .. ':n') or 0)
`);
