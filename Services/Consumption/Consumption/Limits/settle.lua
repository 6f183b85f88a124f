-- Replaces a reservation by what was used: adds the difference (mostly negative) to the periods of the admission. The counters are laid out in admit.lua.
-- A reservation of another generation is not in these counters: they were rebuilt from the records, where the call already stands as it ended.
-- ARGV: 1 generation  2 day of the admission  3 key's field  4 tokens  5 nanos  6 µs per token
local had = redis.call('HMGET', KEYS[1], 'g', 't', 'q', 'o', ARGV[3])
if had[1] ~= ARGV[1] then return 0 end

local floor, max = math.floor, math.max
local day, tokens, nanos = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
local month = floor(day / 100)

local function settle(field, packed)
  if not packed then return end
  local at, d, m, t = string.match(packed, '(%d+) (%d+) (%d+) (%d+)')
  at, d, m, t = tonumber(at), tonumber(d), tonumber(m), tonumber(t)
  if at == day then d = max(0, d + nanos) end
  if floor(at / 100) == month then m = max(0, m + nanos) end
  redis.call('HSET', KEYS[1], field, string.format('%.0f %.0f %.0f %.0f', at, d, m, max(0, t + nanos)))
end

settle('o', had[4])
settle(ARGV[3], had[5])
if had[3] then
  local at, used = string.match(had[3], '(%d+) (%d+)')
  if tonumber(at) == month then redis.call('HSET', KEYS[1], 'q', string.format('%s %.0f', at, max(0, tonumber(used) + tokens))) end
end
if had[2] then redis.call('HSET', KEYS[1], 't', string.format('%.0f', max(0, tonumber(had[2]) + tokens * tonumber(ARGV[6])))) end
return 1
