-- Settles calls, then admits or refuses others, for one organisation, in one step. Repeating it changes nothing: both go by the call's id.
--   KEYS[1]  hash of accounts: "o" is the organisation's, "k:<key>" a key's; packed as
--              "day  spent that day, in its month, in total (nano-units)  tokens of the month  request bucket  token bucket  open calls"
--            a bucket is the time (µs) at which it will be full again (GCRA).
--            "g" is the generation of the counters: they are rebuilt from the records whenever it is not the one expected.
--            "v" .. account: the version of its settings; who knows only an older one admits nothing.
--            "u" is 1 when end users have accounts too: they do from the first rebuild on that finds a budget for end users.
--   KEYS[2]  hash of open calls, by id: "instance day admitted-at(ms) tokens nanos" and µs per token of the accounts; or "x instance": an admission
--            that was given up before its deadline, and will not be admitted however late it comes.
--   KEYS[3]  hash of end users' accounts, "u:<hash of the id>": "day  spent that day, in its month, in total". What one may spend comes with each admission, for keys may differ in it.
--   KEYS[4] and on: what is known of the idempotency keys that are claimed.
-- Numbers are doubles, exact below 2^53 (Lua 5.1 of Redis; in 5.4 whole ones are integers): limits are held below that, and numbers are written as integers.
-- ARGV: 1 generation  2 accounts  3 settlements  4 admissions, then of each
--   account     field, version, requests a minute, burst, tokens a minute, tokens a month, budget's period (d, m, t or -), budget's nanos, concurrent calls; 0: no limit
--   settlement  id, key's account, tokens used, nanos used, deadline of the admission when it may still be under way, else 0, end user's account or 0
--   admission   id, instance, deadline (µs of this clock), tokens, nanos, key's account, end user's account or 0, period and nanos of the end user's budget
--   of each claim: place (n-th admission, or minus s-th settlement), body, state that the settlement leaves (d or u, else o), ms until it is forgotten
-- The first account is the organisation's. Answer: now (µs), for each settlement 1 (a trace is left until its deadline) or 0, for each admission
--   status, account that refuses, day, admitted at (ms), requests: limit, remaining, ms until full, tokens: the same, ms to wait, what is left of the limit
--   that refuses (tokens or nanos), what is left of the budgets (nanos, -1 without); for each claim the call that stands against it, or ''
local GENERATION, LATE, STALE, MONTH, BUDGET, CONCURRENT, REQUESTS, TOKENS = 1, 2, 3, 4, 5, 6, 7, 8
local KEPT, BUSY, OTHER_BODY, NOT_KEPT = 9, 10, 11, 12
local ARGV, call, tonumber, floor, ceil, format, match = ARGV, redis.call, tonumber, math.floor, math.ceil, string.format, string.match
local MINUTE = 60000000
local TOP = 9007199254740991 -- What providers tell of usage has no bound: sums stay where whole numbers are exact, and any limit is long spent.
local unpack = table.unpack or unpack
local A, S, N = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local settlements = 4 + A * 9
local admissions = settlements + S * 6
local claims = admissions + N * 9
local has_claims = KEYS[4] ~= nil

local fields, ids = {'g', 'u'}, {}
for a = 1, A do
  local field = ARGV[a * 9 - 4]
  fields[2 * a + 1] = field
  fields[2 * a + 2] = 'v' .. field
end
for s = 1, S do ids[s] = ARGV[settlements + s * 6 - 5] end
for n = 1, N do ids[S + n] = ARGV[admissions + n * 9 - 8] end
local had = call('HMGET', KEYS[1], unpack(fields))
local tracks = had[2] == '1'
local spent = {}
if tracks then
  local users = {}
  for a = 1, A do
    if string.sub(ARGV[a * 9 - 4], 1, 2) == 'u:' then users[#users + 1] = ARGV[a * 9 - 4] end
  end
  if #users > 0 then
    local found = call('HMGET', KEYS[3], unpack(users))
    for i = 1, #users do spent[users[i]] = found[i] or false end
  end
end
local opened = call('HMGET', KEYS[2], unpack(ids))
local open, changed = {}, {}
for i = 1, S + N do open[ids[i]] = opened[i] or nil end

-- Only when there are claims: each run of the script makes its functions and tables anew.
local held, claim_of, taken, standing, take
if has_claims then
  held, claim_of, taken = {}, {}, {}
  local values = call('MGET', unpack(KEYS, 4))
  for c = 1, #KEYS - 3 do
    held[KEYS[c + 3]] = values[c] or nil
    local place = tonumber(ARGV[claims + c * 4 - 3])
    claim_of[place] = {key = KEYS[c + 3], body = ARGV[claims + c * 4 - 2], state = ARGV[claims + c * 4 - 1], ms = ARGV[claims + c * 4], against = ''}
  end

  -- The state of a claim that another call has, and that call; nil when it is free.
  standing = function(claim, id)
    local state, holder, body = match(held[claim.key] or '', '^(%a) (%x+) (%x+)$')
    if not state or holder == id then return nil end
    if state == 'o' then
      local its = open[holder]
      if not its and not changed[holder] then its = call('HGET', KEYS[2], holder) end
      if not its or not match(its, '^%x') then return nil end
    end
    return state, holder, body
  end

  take = function(claim, state, id)
    held[claim.key] = state .. ' ' .. id .. ' ' .. claim.body
    taken[claim.key] = claim.ms
  end
end

local time = call('TIME')
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
local today = (yoe + era * 400 + (month <= 2 and 1 or 0)) * 10000 + month * 100 + (doy - floor((153 * mp + 2) / 5) + 1)

local accounts = {}
for a = 1, A do
  local at = a * 9 - 4
  local field, kept = ARGV[at], had[2 * a + 1]
  local day, d, m, t, used, requests, tokens, calls, user = 0, 0, 0, 0, 0, 0, 0, 0, false
  if kept then
    day, d, m, t, used, requests, tokens, calls = match(kept, '(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)')
    used, requests, tokens, calls = tonumber(used), tonumber(requests), tonumber(tokens), tonumber(calls)
  elseif spent[field] ~= nil then
    user = true
    day, d, m, t = match(spent[field] or '0 0 0 0', '(%d+) (%d+) (%d+) (%d+)')
  end
  if requests < now then requests = now end
  if tokens < now then tokens = now end
  local per_minute, tokens_per_minute = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 4])
  day = tonumber(day)
  accounts[a] = {
    field = field, stale = tonumber(had[2 * a + 2] or '0') > tonumber(ARGV[at + 1]), user = user, changed = false,
    per_minute = per_minute, burst = tonumber(ARGV[at + 3]), tokens_per_minute = tokens_per_minute, tokens_per_month = tonumber(ARGV[at + 5]),
    period = ARGV[at + 6], budget = tonumber(ARGV[at + 7]), concurrent = tonumber(ARGV[at + 8]),
    per_request = per_minute > 0 and 60000000 / per_minute or 0, per_token = tokens_per_minute > 0 and 60000000 / tokens_per_minute or 0,
    day = day, d = tonumber(d), m = tonumber(m), t = tonumber(t), used = used, requests = requests, tokens = tokens, open = calls}
  if today < day then today = day end -- A server whose clock is behind does not bring an old period back.
end
month = floor(today / 100)

for a = 1, A do
  local account = accounts[a]
  if account.day < today then
    account.d = 0
    if floor(account.day / 100) < month then account.m, account.used = 0, 0 end
    account.day = today
  end
end

local function add(account, day, tokens, nanos, per_token, calls)
  local total = account.t + nanos
  account.t = total > TOP and TOP or total > 0 and total or 0
  if day == today then
    local d = account.d + nanos
    account.d = d > TOP and TOP or d > 0 and d or 0
  end
  if day == today or floor(day / 100) == month then
    local m, used = account.m + nanos, account.used + tokens
    account.m = m > TOP and TOP or m > 0 and m or 0
    account.used = used > TOP and TOP or used > 0 and used or 0
  end
  if per_token > 0 then
    local full = account.tokens + floor(tokens * per_token + 0.5)
    account.tokens = full > now + MINUTE and now + MINUTE or full > now and full or now -- An empty bucket is full in a minute, whatever was used beyond it.
  end
  calls = account.open + calls
  account.open = calls > 0 and calls or 0
  account.changed = true
end

local answer, k = N > 0 and {now, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} or {now}, 1
for s = 1, S do
  local at = settlements + s * 6 - 6
  local id, deadline = ARGV[at + 1], tonumber(ARGV[at + 5])
  local instance, day, _, tokens, nanos, per_token, key_per_token
  if open[id] then instance, day, _, tokens, nanos, per_token, key_per_token = match(open[id], '(%x+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+)') end
  if instance then
    day, tokens, nanos = tonumber(day), tonumber(ARGV[at + 3]) - tonumber(tokens), tonumber(ARGV[at + 4]) - tonumber(nanos)
    add(accounts[1], day, tokens, nanos, tonumber(per_token), -1)
    add(accounts[tonumber(ARGV[at + 2])], day, tokens, nanos, tonumber(key_per_token), -1)
    local user = tracks and accounts[tonumber(ARGV[at + 6])]
    if user then add(user, day, 0, nanos, 0, -1) end
  end
  local trace = now <= deadline
  if trace then open[id] = 'x ' .. (instance or '0') elseif open[id] then open[id] = nil end
  changed[id] = true
  local claim = has_claims and claim_of[-s]
  if claim and not standing(claim, id) then take(claim, claim.state, id) end
  k = k + 1
  answer[k] = trace and 1 or 0
end

local function left_of(account)
  return account.budget - (account.period == 'd' and account.d or account.period == 'm' and account.m or account.t)
end

-- What refuses a call of these accounts: status, which of them, what is left, µs to wait; nil when nothing does.
local function refuses(payers, tokens, nanos)
  for a = 1, #payers do
    local account = payers[a]
    if account.tokens_per_month > 0 and account.used + tokens > account.tokens_per_month then return MONTH, a, account.tokens_per_month - account.used, 0 end
    if account.period ~= '-' then
      local left = left_of(account)
      if nanos > left then return BUDGET, a, left, 0 end
    end
  end
end

-- The same, of what passes by waiting; a repeat costs nothing, but is a request.
local function delays(payers, tokens, is_repeat)
  for a = 1, #payers do
    local account = payers[a]
    if not is_repeat and account.concurrent > 0 and account.open >= account.concurrent then return CONCURRENT, a, 0, 0 end
    if account.per_request > 0 then
      local wait = account.requests + account.per_request - now - account.per_request * account.burst
      if wait > 0.5 then return REQUESTS, a, 0, wait end
    end
    if not is_repeat and account.per_token > 0 then
      local wait = account.tokens + account.per_token * tokens - now - account.per_token * account.tokens_per_minute
      if wait > 0.5 then
        local left = floor(account.tokens_per_minute - (account.tokens - now) / account.per_token)
        return TOKENS, a, left > 0 and left or 0, wait
      end
    end
  end
end

for n = 1, N do
  local at = admissions + n * 9 - 9
  local id, tokens, nanos = ARGV[at + 1], tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local payers = {accounts[1], accounts[tonumber(ARGV[at + 6])]}
  local user = accounts[tonumber(ARGV[at + 7])]
  if user then user.period, user.budget = ARGV[at + 8], tonumber(ARGV[at + 9]) end
  if user and tracks then payers[3] = user end
  local status, refusing, left, wait, day, admitted = 0, 0, 0, 0, today, floor(now / 1000)
  local before = open[id]
  if had[1] ~= ARGV[1] then status = GENERATION
  elseif before then
    local _, on, ms = match(before, '(%x+) (%d+) (%d+)')
    if on then day, admitted = tonumber(on), tonumber(ms) else status = LATE end
  elseif now > tonumber(ARGV[at + 3]) then status = LATE
  else
    for a = 1, #payers do if status == 0 and payers[a].stale then status, refusing = STALE, a end end
    if status == 0 and user and not tracks and user.period ~= '-' then status = GENERATION end
    local claim = has_claims and claim_of[n]
    local state, holder, body
    if claim and status == 0 then state, holder, body = standing(claim, id) end
    if state then
      claim.against = holder
      if body ~= claim.body then status = OTHER_BODY
      elseif state == 'o' then status = BUSY
      elseif state == 'u' then status = NOT_KEPT
      end
    end
    if status == 0 then
      local no, who, remains, until_then
      if not state then no, who, remains, until_then = refuses(payers, tokens, nanos) end
      if not no then no, who, remains, until_then = delays(payers, tokens, state) end
      if no then
        status, refusing, left, wait = no, who, remains, until_then
      else
        for a = 1, #payers do
          local account = payers[a]
          account.requests = account.requests + account.per_request
          account.changed = true
        end
        if state then status = KEPT
        else
          if claim then take(claim, 'o', id) end
          for a = 1, #payers do add(payers[a], today, tokens, nanos, payers[a].per_token, 1) end
          local per_token, key_per_token = payers[1].per_token, payers[2].per_token
          local whole = per_token == floor(per_token) and key_per_token == floor(key_per_token) -- They are cheaper to write, and most are.
          open[id] = format(whole and '%s %d %d %d %d %d %d' or '%s %d %d %d %d %.17g %.17g', ARGV[at + 2], today, admitted, tokens, nanos, per_token, key_per_token)
          changed[id] = true
        end
      end
    end
  end

  -- Of each rate, the account that has least left.
  local requests, requests_left, requests_full, rate, rate_left, rate_full, budget = 0, 0, 0, 0, 0, 0, -1
  for a = 1, #payers do
    local account = payers[a]
    if account.per_request > 0 then
      local full = account.requests - now
      local rest = floor(account.burst - full / account.per_request + 0.000001)
      if rest < 0 then rest = 0 end
      if requests == 0 or rest < requests_left then requests, requests_left, requests_full = account.burst, rest, full end
    end
    if account.per_token > 0 then
      local full = account.tokens - now
      local rest = floor(account.tokens_per_minute - full / account.per_token + 0.000001)
      if rest < 0 then rest = 0 end
      if rate == 0 or rest < rate_left then rate, rate_left, rate_full = account.tokens_per_minute, rest, full end
    end
    if account.period ~= '-' then
      local rest = left_of(account)
      if rest < 0 then rest = 0 end
      if budget < 0 or rest < budget then budget = rest end
    end
  end
  answer[k + 1], answer[k + 2], answer[k + 3], answer[k + 4] = status, refusing, day, admitted
  answer[k + 5], answer[k + 6], answer[k + 7] = requests, requests_left, ceil(requests_full / 1000)
  answer[k + 8], answer[k + 9], answer[k + 10] = rate, rate_left, ceil(rate_full / 1000)
  answer[k + 11], answer[k + 12], answer[k + 13] = ceil(wait / 1000), left > 0 and left or 0, budget
  k = k + 13
end

local set, charged, put, gone = {}, {}, {}, {}
for a = 1, A do
  local account = accounts[a]
  if account.changed and account.user then
    charged[#charged + 1] = account.field
    charged[#charged + 1] = format('%d %d %d %d', account.day, account.d, account.m, account.t)
  elseif account.changed then
    set[#set + 1] = account.field
    set[#set + 1] = format('%d %d %d %d %d %d %d %d',
      account.day, account.d, account.m, account.t, account.used, floor(account.requests + 0.5), floor(account.tokens + 0.5), account.open)
  end
end
for id in pairs(changed) do
  if open[id] then
    put[#put + 1] = id
    put[#put + 1] = open[id]
  else
    gone[#gone + 1] = id
  end
end
if has_claims then
  for c = 1, #KEYS - 3 do answer[k + c] = claim_of[tonumber(ARGV[claims + c * 4 - 3])].against end
  for key, ms in pairs(taken) do call('SET', key, held[key], 'PX', ms) end
end
if #set > 0 then call('HSET', KEYS[1], unpack(set)) end
if #charged > 0 then call('HSET', KEYS[3], unpack(charged)) end
if #put > 0 then call('HSET', KEYS[2], unpack(put)) end
if #gone > 0 then call('HDEL', KEYS[2], unpack(gone)) end
return answer
