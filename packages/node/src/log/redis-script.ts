import { createHash } from 'node:crypto';

/** Bounds of what Redis keeps of each channel; they stand in the scripts, so that no call carries them. */
export interface RedisLogBounds {
  /** A channel keeps its last so many messages, and up to an eighth more. */
  readonly messages: number;
  /** Most bytes of a channel's messages, as they are stored; its last message is kept whatever its size. */
  readonly bytes: number;
  /** Age after which a message is dropped, in milliseconds. */
  readonly ageMs: number;
}

/** A script and the name that Redis knows it by. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

/** What an entry of a stream takes beside its text, as an estimate. */
const ENTRY_BYTES = 64;
/** Places in channels are kept so long after the channel was last used, whatever becomes of its messages. */
const PLACE_MS = 7 * 86_400_000;
/** Ids are remembered for the age, but of no more messages than so many times those that are kept. */
const IDS_PER_MESSAGE = 10;
/** So many ids of a channel may be searched one by one. */
const LISTED_IDS = 32;
/** Messages that one call gives at most. */
export const READ_PAGE = 100;
/** Behind so many bytes of messages, or characters of their data, a read ends: of many channels at once none is to take much. */
export const READ_LENGTH = 512 * 1024;

/**
 * What both scripts have in common. A channel is up to five keys behind one hash tag, `BASE` being the first part:
 *
 * - `BASE:m` its place, a MessagePack array (see NEW); it outlives the messages by far
 * - `BASE:s` its messages, a stream; ids are `SEQ-TIME`, fields `c` (bytes up to and with this one) and `m` (the message)
 * - `BASE:d` id -> seq, of messages since the place's DSINCE; `BASE:e` the generation of ids before that
 * - `BASE:o` messages of the epoch before, where Redis had lost that one's tail
 *
 * Every write that needs memory comes before every one that does not: a full Redis refuses the first, and none is half done.
 */
function prelude({ messages, bytes, ageMs }: RedisLogBounds): string {
  return `
local MESSAGES, BYTES, AGE, IDS, PLACE = ${messages}, ${bytes}, ${ageMs}, ${messages * IDS_PER_MESSAGE}, ${Math.max(PLACE_MS, 10 * ageMs)}
local EPOCH, SEQ, FIRST, CUM, BASE, OLDEST, DSINCE, DCOUNT, LIVES, EEPOCH, OEPOCH, OSEQ = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local candidate = ARGV[1]

local call, try = redis.call, redis.pcall
local format = string.format

local function load(base)
  local packed = call('GET', base .. ':m')
  return packed and cmsgpack.unpack(packed)
end

-- when an epoch began, in milliseconds; 0 for one that no Redis log made, or that comes from the future
local function born(epoch)
  local high, low = string.match(epoch, '^(%x%x%x%x%x)(%x%x%x%x%x%x)%.')
  local at = high and tonumber(high, 16) * 0x1000000 + tonumber(low, 16) or 0
  return at <= now + 86400000 and at or 0
end

-- whether the log has lost what the caller has seen
local function behind(m, epoch, seq)
  if epoch == '' then return false end
  if epoch == m[EPOCH] then return tonumber(seq) > m[SEQ] end
  local at = born(epoch)
  return at > 0 and at >= born(m[EPOCH])
end

-- a new epoch, later than the two that are known; nothing has changed when there is an error
local function renew(base, old, known)
  local at = math.max(now, born(known) + 1)
  if old then at = math.max(at, born(old[EPOCH]) + 1) end
  local m = { format('%05x%06x', math.floor(at / 0x1000000), at % 0x1000000) .. '.' .. candidate, 0, 1, 0, 0, now, now, 0, 0, '', '', 0 }
  if old then
    m[OEPOCH], m[OSEQ] = old[EPOCH], old[SEQ]
    if old[DCOUNT] > 0 then m[EEPOCH] = old[EPOCH] end
  end
  local set = try('SET', base .. ':m', cmsgpack.pack(m), 'PX', PLACE)
  if set.err then return nil, set.err end
  call('DEL', base .. ':o', base .. ':e')
  if old then
    -- what is still there was confirmed: who is further behind than what was lost can read it, and its ids are known
    try('RENAME', base .. ':s', base .. ':o')
    try('RENAME', base .. ':d', base .. ':e')
  else
    call('DEL', base .. ':s', base .. ':d')
  end
  return m
end
`;
}

/**
 * Appends a batch: for each of KEYS (a channel's BASE) there are four of ARGV behind the first, which is the candidate for
 * a new epoch: known epoch (or nothing), known seq, key for dedupe (or nothing), and the message. Gives a text for each:
 * `+SEQ/EPOCH` appended, `=SEQ/EPOCH` there already, `!` there with other data, `-ERROR` nothing stored, `?ERROR` unknown.
 */
export function appendScript(bounds: RedisLogBounds): RedisScript {
  return redisScript(`${prelude(bounds)}
-- places that have changed, and channels of repeats
local places, repeated = {}, {}
local since = '-' .. format('%.0f', now)

-- begins another generation of ids when the present one is old or long enough
local function turn(base, m)
  if m[DCOUNT] > 0 and (now - m[DSINCE] > AGE or m[DCOUNT] >= IDS) then
    if try('RENAME', base .. ':d', base .. ':e').err then
      call('DEL', base .. ':e')
      m[EEPOCH] = ''
    else
      m[EEPOCH] = m[EPOCH]
    end
    m[DCOUNT] = 0
    places[base] = m
  end
  if m[DCOUNT] == 0 then m[DSINCE], m[LIVES] = now, 0 end
end

local function repetition(base, at, epoch, stream, body)
  local kept = call('XRANGE', base .. stream, at, at)[1]
  if kept and kept[2][4] ~= body then return '!' end
  repeated[base] = true
  return '=' .. at .. '/' .. epoch
end

-- drops from the front what is too old or too much, never the last message; the rest of a long way is for the next append
local function trim(base, m)
  local stream, from, cut = base .. ':s', '-', false
  for _ = 1, 8 do
    for _, entry in ipairs(call('XRANGE', stream, from, '+', 'COUNT', 32)) do
      local seq, at = string.match(entry[1], '^(%d+)-(%d+)$')
      local before = tonumber(entry[2][2]) - #entry[2][4] - ${ENTRY_BYTES}
      m[FIRST], m[BASE], m[OLDEST] = tonumber(seq), before, tonumber(at)
      from = entry[1]
      if m[FIRST] == m[SEQ] or now - m[OLDEST] <= AGE and m[CUM] - before <= BYTES then
        if cut then call('XTRIM', stream, 'MINID', from) end
        return
      end
      cut = true
    end
  end
  call('XTRIM', stream, 'MINID', from)
end

local function append(base, epoch, seq, id, body)
  local m, err = places[base] or load(base)
  if not m or behind(m, epoch, seq) then
    m, err = renew(base, m, epoch)
    if not m then return '-' .. err end
    places[base] = m
  end
  if id ~= '' then
    turn(base, m)
    local at = m[EEPOCH] ~= '' and call('HGET', base .. ':e', id)
    if at then return repetition(base, at, m[EEPOCH], m[EEPOCH] == m[EPOCH] and ':s' or ':o', body) end
  end
  local cum, place = #body + ${ENTRY_BYTES}
  for attempt = 1, 2 do
    place = format('%d', m[SEQ] + 1)
    if id ~= '' then
      local claimed = try('HSETNX', base .. ':d', id, place)
      if claimed ~= 1 then
        local at = call('HGET', base .. ':d', id)
        if at then return repetition(base, at, m[EPOCH], ':s', body) end
        return '-' .. claimed.err
      end
    end
    local stored = try('XADD', base .. ':s', place .. since, 'c', format('%d', m[CUM] + cum), 'm', body)
    if not stored.err then break end
    if id ~= '' then call('HDEL', base .. ':d', id) end
    if attempt == 2 or not string.find(stored.err, 'equal or smaller', 1, true) then return '-' .. stored.err end
    -- the stream is not what the place says: somebody has deleted or restored a part
    m, err = renew(base, m, '')
    if not m then return '-' .. err end
  end
  m[SEQ], m[CUM] = m[SEQ] + 1, m[CUM] + cum
  if id ~= '' then
    m[DCOUNT] = m[DCOUNT] + 1
    -- a small hash is a list that is searched from its front, up to hundreds of fields; a long value makes a table of it
    if m[DCOUNT] == ${LISTED_IDS} then call('HSET', base .. ':d', '-', string.rep('-', 65)) end
  end
  places[base] = m
  if m[SEQ] == m[FIRST] then m[BASE], m[OLDEST] = m[CUM] - cum, now end
  if m[SEQ] - m[FIRST] >= MESSAGES + MESSAGES / 8 then
    -- many at once: one at a time, Redis would look at all of a page's for each
    call('XTRIM', base .. ':s', 'MAXLEN', '=', MESSAGES)
    m[FIRST] = m[SEQ] - MESSAGES + 1
  end
  -- both are what they were when last looked at, and so err towards another look
  if now - m[OLDEST] > AGE or m[CUM] - m[BASE] > BYTES then trim(base, m) end
  if now - m[LIVES] > AGE / 8 or now < m[LIVES] then
    call('PEXPIRE', base .. ':s', math.ceil(AGE * 1.25))
    call('PEXPIRE', base .. ':d', math.ceil(AGE * 1.25))
    call('PEXPIRE', base .. ':m', PLACE)
    m[LIVES] = now
  end
  return '+' .. place .. '/' .. m[EPOCH]
end

local answers = {}
for i, base in ipairs(KEYS) do
  local at = 4 * i - 2
  local done, answer = pcall(append, base, ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  answers[i] = done and answer or '?' .. (type(answer) == 'table' and answer.err or tostring(answer))
end
for base, m in pairs(places) do call('SET', base .. ':m', cmsgpack.pack(m), 'KEEPTTL') end
-- a write, for WAIT to wait for: the message itself may have come by another connection
for base in pairs(repeated) do call('PEXPIRE', base .. ':m', PLACE) end
return answers
`);
}

/**
 * Reads one channel. KEYS: its BASE. ARGV: candidate, known epoch (or nothing), known seq, from where (`since` the known
 * position, `oldest`, or `last` so many), how many, and `claimed` where the position is not to be believed. Gives the epoch of the messages, the seq before the first, the seq of
 * the channel's head, and the messages; where there are none, the first two are the head.
 */
export function readScript(bounds: RedisLogBounds): RedisScript {
  return redisScript(`${prelude(bounds)}
local base, epoch, seq, where, count = KEYS[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local m, err = load(base)
if not m or (ARGV[6] == '' and behind(m, epoch, seq)) then
  m, err = renew(base, m, ARGV[6] == '' and epoch or '')
  if not m then return redis.error_reply(err) end
elseif call('PTTL', base .. ':m') < PLACE / 2 then
  call('PEXPIRE', base .. ':m', PLACE)
end

local function page(stream, of, from, head)
  local entries = call('XRANGE', base .. stream, format('%d', from), '+', 'COUNT', math.min(count, ${READ_PAGE}))
  if not entries[1] then return end
  local answer = { of, tonumber(string.match(entries[1][1], '^%d+')) - 1, head }
  local length = 0
  for i, entry in ipairs(entries) do
    if length >= ${READ_LENGTH} then break end
    answer[i + 3] = entry[2][4]
    length = length + #entry[2][4]
  end
  return answer
end

local answer
if count > 0 then
  if where == 'since' and epoch == m[EPOCH] then
    answer = page(':s', m[EPOCH], tonumber(seq) + 1, m[SEQ])
  elseif where == 'since' and epoch == m[OEPOCH] and tonumber(seq) < m[OSEQ] then
    answer = page(':o', m[OEPOCH], tonumber(seq) + 1, m[OSEQ])
    if answer and answer[2] ~= tonumber(seq) then answer = nil end
  elseif where == 'last' then
    answer = page(':s', m[EPOCH], math.max(1, m[SEQ] - count + 1), m[SEQ])
  end
  if not answer and not (where == 'since' and epoch == m[EPOCH]) then answer = page(':s', m[EPOCH], 1, m[SEQ]) end
end
return answer or { m[EPOCH], m[SEQ], m[SEQ] }
`);
}

/** A script with its name. */
export function redisScript(text: string): RedisScript {
  return { text, sha: createHash('sha1').update(text, 'utf8').digest('hex') };
}
