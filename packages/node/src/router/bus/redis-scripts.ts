import { type RedisScript, redisScript } from '../../log/redis-script.ts';

/**
 * The directory in Redis, behind one hash tag (KEYS[1], `P`), so that each step is one script:
 *
 * - `P:nodes` a sorted set, node -> until when it counts as alive, in milliseconds of Redis's own clock
 * - `P:c:CHANNEL` a hash, node -> its sessions of the channel
 * - `P:h:NODE` a set, the channels in which the node stands, so that whoever finds it dead can take it out of them
 * - `P:q:NODE` a list, the parcels on their way to the node
 * - `P:l:NODE` there where a parcel did not go into that list, which was full
 */
const PRELUDE = `
local call, P = redis.call, KEYS[1]
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nodes = P .. ':nodes'

-- takes dead nodes out of the channels in which they stand; whether there is more to do
local function sweep(budget)
  for _, node in ipairs(call('ZRANGEBYSCORE', nodes, '-inf', '(' .. now, 'LIMIT', 0, 10)) do
    repeat
      local channels = call('SPOP', P .. ':h:' .. node, 100)
      for _, channel in ipairs(channels) do call('HDEL', P .. ':c:' .. channel, node) end
      budget = budget - #channels
      if budget <= 0 then return 1 end
    until #channels == 0
    call('ZREM', nodes, node)
    call('DEL', P .. ':q:' .. node, P .. ':l:' .. node)
  end
  return 0
end
`;

/** ARGV: node, lease in ms. Reply: was alive, has lost parcels, more to sweep. */
export const beatScript = script(`
local node = ARGV[1]
local before = call('ZSCORE', nodes, node)
call('ZADD', nodes, now + ARGV[2], node)
local lost = call('DEL', P .. ':l:' .. node)
return {before and tonumber(before) >= now and 1 or 0, lost, sweep(1000)}
`);

/** ARGV: node, then channel and sessions by turns. Reply: 0 where the node does not count as alive, and nothing was done. */
export const registerScript = script(`
local node = ARGV[1]
local alive = call('ZSCORE', nodes, node)
if not alive or tonumber(alive) < now then return 0 end
for i = 2, #ARGV, 2 do
  call('SADD', P .. ':h:' .. node, ARGV[i])
  call('HSET', P .. ':c:' .. ARGV[i], node, ARGV[i + 1])
end
return 1
`);

/** ARGV: node, channel. */
export const unregisterScript = script(`
call('HDEL', P .. ':c:' .. ARGV[2], ARGV[1])
call('SREM', P .. ':h:' .. ARGV[1], ARGV[2])
return 1
`);

/** ARGV: node. The node goes. Reply: more to sweep. */
export const leaveScript = script(`
call('ZADD', nodes, 0, ARGV[1])
return sweep(1000)
`);

/**
 * ARGV: most parcels in a queue, its time to live in ms, then for each parcel its message, the number of its items, and
 * for each of those its channel (empty: all nodes) and itself. Reply: parcels that found a queue full, then for each item
 * the sessions that the directory has.
 */
export const sendScript = script(`
local most, ttl = tonumber(ARGV[1]), ARGV[2]
local alive, boxes, reply = {}, {}, {0}
for _, node in ipairs(call('ZRANGEBYSCORE', nodes, now, '+inf')) do alive[node] = true end
local i = 3
while i <= #ARGV do
  local message, count, parts = ARGV[i], tonumber(ARGV[i + 1]), {}
  i = i + 2
  for _ = 1, count do
    local channel, item, sessions = ARGV[i], ARGV[i + 1], 0
    i = i + 2
    local function add(node)
      local part = parts[node]
      if not part then
        part = {#message .. ':' .. message}
        parts[node] = part
      end
      part[#part + 1] = #item .. ':' .. item
    end
    if channel == '' then
      for node in pairs(alive) do add(node) end
    else
      local held = call('HGETALL', P .. ':c:' .. channel)
      for k = 1, #held, 2 do
        if alive[held[k]] then
          sessions = sessions + tonumber(held[k + 1])
          add(held[k])
        end
      end
    end
    reply[#reply + 1] = sessions
  end
  for node, part in pairs(parts) do
    local box = boxes[node]
    if not box then
      box = {}
      boxes[node] = box
    end
    box[#box + 1] = table.concat(part)
  end
end
for node, box in pairs(boxes) do
  local queue = P .. ':q:' .. node
  if call('LLEN', queue) + #box > most then
    reply[1] = reply[1] + #box
    call('SET', P .. ':l:' .. node, 1, 'PX', ttl)
  else
    call('RPUSH', queue, unpack(box))
    call('PEXPIRE', queue, ttl)
  end
end
return reply
`);

/** ARGV: the parcels. */
export const broadcastScript: RedisScript = redisScript(`
return redis.call('PUBLISH', KEYS[1] .. ':all', ARGV[1])
`);

function script(body: string): RedisScript {
  return redisScript(PRELUDE + body);
}
