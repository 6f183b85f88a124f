-- Sets an organisation's counters to what the records say; never adds to what was there. The buckets stay: they hold no money. Laid out in admit.lua.
-- ARGV: field, value, field, value …
local buckets = redis.call('HMGET', KEYS[1], 'r', 't')
redis.call('DEL', KEYS[1])
for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
if buckets[1] then redis.call('HSET', KEYS[1], 'r', buckets[1]) end
if buckets[2] then redis.call('HSET', KEYS[1], 't', buckets[2]) end
return 1
