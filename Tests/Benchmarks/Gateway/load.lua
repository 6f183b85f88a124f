-- Drives one contender with wrk; prints one line of JSON. The environment says how: LOAD_PATH, LOAD_BODIES (one a line, taken in turn), LOAD_HEADERS (name: value, one a line),
-- LOAD_KEYS (bearer tokens, one a line, taken in turn; may be empty).
local headers = { ["Content-Type"] = "application/json" }
for name, value in string.gmatch(os.getenv("LOAD_HEADERS") or "", "([^\n:]+):%s*([^\n]+)") do headers[name] = value end

local requests = {}
local function add()
  for body in string.gmatch(os.getenv("LOAD_BODIES"), "[^\n]+") do
    table.insert(requests, wrk.format("POST", os.getenv("LOAD_PATH"), headers, body))
  end
end

function init()
  for key in string.gmatch(os.getenv("LOAD_KEYS") or "", "[^\n]+") do
    headers["Authorization"] = "Bearer " .. key
    add()
  end
  if #requests == 0 then add() end
end

local next = 0
function request()
  next = next % #requests + 1
  return requests[next]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"microseconds":%d,"bytes":%d,"refused":%d,"broken":%d,"p50":%.1f,"p99":%.1f}\n',
    summary.requests, summary.duration, summary.bytes, e.status, e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
