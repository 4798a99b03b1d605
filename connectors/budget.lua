-- Keep one account's rate limits in one hash; KEYS[1] names it, each of ARGV is a request as JSON, in their order:
--   {ask = "admit" or "charge", now, spare, window, guess_wait, keep, closed_for,
--    buckets = {{name, calls, limit, sure, seen = {limit, left, resets_in}}, ...}}
-- Answers the seconds that the last one is to wait as text (Redis would cut a number to an integer); "0" means go ahead.

-- What the vendor counts wins over what we count. Answers overtake each other, so within one window
-- the smaller of both is the newer.
local function correct(q, s, seen)
  local ends = seen.resets_in and q.now + seen.resets_in or s.ends
  local same = seen.resets_in and math.abs(ends - s.ends) < 3 and s.limit == seen.limit
  s.left = same and math.min(s.left, seen.left) or seen.left
  s.limit, s.ends, s.told = seen.limit, ends, true
end

local function carry_out(q)
  local closed = tonumber(redis.call('HGET', KEYS[1], 'closed') or '0')
  if q.closed_for > 0 then
    closed = math.max(closed, q.now + q.closed_for)
    redis.call('HSET', KEYS[1], 'closed', closed)
  end
  local wait = math.max(0, closed - q.now)
  local changed = {}

  for _, b in ipairs(q.buckets) do
    local raw = redis.call('HGET', KEYS[1], 'bucket:' .. b.name)
    local s = raw and cjson.decode(raw) or {ends = 0}
    -- A worker that has just begun guesses; what another one was told by the helpdesk stays, and so does what is spent.
    if not s.told and (b.sure or not s.sure) then
      s.left = s.left and s.left + b.limit - s.limit
      s.limit, s.sure = b.limit, b.sure
    end
    if q.now >= s.ends then
      s.left, s.promised, s.ends = s.limit, 0, q.now + q.window
    end
    if q.ask == 'admit' then
      -- A full, idle window always admits one ticket, or a tiny account would never get one.
      local idle = s.promised == 0 and s.left >= s.limit
      if s.left - s.promised - b.calls < s.limit * q.spare and not idle then
        local rest = s.ends - q.now
        -- A guessed limit is put right by the next answer: do not sit out the minute for it.
        if not (s.told or s.sure) then rest = math.min(rest, q.guess_wait) end
        wait = math.max(wait, rest)
      end
      s.promised = s.promised + b.calls
    else
      s.left, s.promised = s.left - b.calls, math.max(0, s.promised - b.calls)
      if b.seen then correct(q, s, b.seen) end
    end
    changed[b.name] = cjson.encode(s)
  end

  if q.ask == 'charge' or wait == 0 then
    for name, s in pairs(changed) do redis.call('HSET', KEYS[1], 'bucket:' .. name, s) end
    redis.call('EXPIRE', KEYS[1], q.keep)
  end
  return wait
end

local wait = 0
for _, request in ipairs(ARGV) do wait = carry_out(cjson.decode(request)) end
return tostring(wait)
