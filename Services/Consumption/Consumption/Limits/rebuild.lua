-- Sets an organisation's counters and open calls to what the records say; never adds to what was there. Laid out in calls.lua.
-- The buckets stay, for they hold no money; of the versions of settings the higher, for a change may have come between.
-- The end users' accounts were set before, while there was no generation by which anybody is admitted.
-- ARGV: 1 generation  2 accounts  3 versions  4 open calls  5 whether end users have accounts, then of each
--   account   field, "day d m t used", "open calls"
--   version   field, number
--   open call id, value
local function hash(key)
  local pairs_of, into = redis.call('HGETALL', key), {}
  for i = 1, #pairs_of, 2 do into[pairs_of[i]] = pairs_of[i + 1] end
  return into
end

local had = hash(KEYS[1])
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'g', ARGV[1], 'u', ARGV[5])
for field, value in pairs(had) do
  if string.sub(field, 1, 1) == 'v' then redis.call('HSET', KEYS[1], field, value) end
end

local at = 6
for _ = 1, tonumber(ARGV[2]) do
  local field = ARGV[at]
  local requests, tokens = string.match(had[field] or '', '%d+ %d+ %d+ %d+ %d+ (%d+) (%d+) %d+')
  redis.call('HSET', KEYS[1], field, ARGV[at + 1] .. ' ' .. (requests or '0') .. ' ' .. (tokens or '0') .. ' ' .. ARGV[at + 2])
  at = at + 3
end
for _ = 1, tonumber(ARGV[3]) do
  if tonumber(had[ARGV[at]] or '0') < tonumber(ARGV[at + 1]) then redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
  at = at + 2
end
for _ = 1, tonumber(ARGV[4]) do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
return 1
