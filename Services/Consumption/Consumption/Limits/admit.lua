-- Admits one call or refuses it: all limits in one step, all or nothing. One hash per organisation:
--   g  generation of the counters: they are rebuilt from the records whenever it is not the one expected
--   r  request bucket, t  token bucket: the time (µs) at which the bucket will be full again (GCRA)
--   q  "month tokens": tokens of the month
--   o  "day d m t": nano-units spent by the organisation on that day, in its month, in total;  k:<key>  the same for a key
-- Numbers are doubles, exact below 2^53: limits are held below that, and numbers are written as integers.
-- ARGV: 1 generation  2 µs per request  3 burst  4 µs per token  5 tokens per minute  6 tokens  7 tokens per month
--       8 nanos  9 organisation's budget: period (d, m, t or -)  10 and nanos  11 key's field  12 period  13 nanos
-- Answer: status, day, now (ms), then of requests and tokens what remains and ms until full, then ms to wait.
local GENERATION, QUOTA, ORGANISATION, KEY, REQUESTS, TOKENS = 1, 2, 3, 4, 5, 6
local had = redis.call('HMGET', KEYS[1], 'g', 'r', 't', 'q', 'o', ARGV[11])
if had[1] ~= ARGV[1] then return {GENERATION} end

local floor, max = math.floor, math.max
local time = redis.call('TIME')
local seconds = tonumber(time[1])
local now = seconds * 1000000 + tonumber(time[2])

-- Days since 1970 to yyyymmdd (H. Hinnant, "chrono-compatible low-level date algorithms").
local z = floor(seconds / 86400) + 719468
local era = floor(z / 146097)
local doe = z - era * 146097
local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
local mp = floor((5 * doy + 2) / 153)
local month = mp < 10 and mp + 3 or mp - 9
local year = yoe + era * 400 + (month <= 2 and 1 or 0)
local day = year * 10000 + month * 100 + (doy - floor((153 * mp + 2) / 5) + 1)
month = floor(day / 100)

local function spent(packed)
  if not packed then return 0, 0, 0 end
  local at, d, m, t = string.match(packed, '(%d+) (%d+) (%d+) (%d+)')
  at, d, m, t = tonumber(at), tonumber(d), tonumber(m), tonumber(t)
  if at ~= day then d = 0 end
  if floor(at / 100) ~= month then m = 0 end
  return d, m, t
end

local function exceeds(period, limit, nanos, d, m, t)
  if period == '-' then return false end
  local so_far = period == 'd' and d or period == 'm' and m or t
  return so_far + nanos > tonumber(limit)
end

local tokens, nanos = tonumber(ARGV[6]), tonumber(ARGV[8])
local per_request, burst, per_token, per_minute = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local r = max(tonumber(had[2] or '0'), now)
local t = max(tonumber(had[3] or '0'), now)
local used = 0
if had[4] then
  local at, n = string.match(had[4], '(%d+) (%d+)')
  if tonumber(at) == month then used = tonumber(n) end
end

local od, om, ot = spent(had[5])
local kd, km, kt = spent(had[6])
local status, wait = 0, 0
if used + tokens > tonumber(ARGV[7]) then status = QUOTA
elseif exceeds(ARGV[9], ARGV[10], nanos, od, om, ot) then status = ORGANISATION
elseif exceeds(ARGV[12], ARGV[13], nanos, kd, km, kt) then status = KEY
elseif r + per_request - now > per_request * burst then status = REQUESTS; wait = r + per_request - now - per_request * burst
elseif t + per_token * tokens - now > per_token * per_minute then status = TOKENS; wait = t + per_token * tokens - now - per_token * per_minute
else
  r = r + per_request
  t = t + per_token * tokens
  redis.call('HSET', KEYS[1],
    'r', string.format('%.0f', r), 't', string.format('%.0f', t),
    'q', string.format('%.0f %.0f', month, used + tokens),
    'o', string.format('%.0f %.0f %.0f %.0f', day, od + nanos, om + nanos, ot + nanos),
    ARGV[11], string.format('%.0f %.0f %.0f %.0f', day, kd + nanos, km + nanos, kt + nanos))
end

return {status, day, floor(now / 1000),
  max(0, floor(burst - (r - now) / per_request + 0.000001)), math.ceil((r - now) / 1000),
  max(0, floor(per_minute - (t - now) / per_token + 0.000001)), math.ceil((t - now) / 1000),
  math.ceil(wait / 1000), floor(used)}
