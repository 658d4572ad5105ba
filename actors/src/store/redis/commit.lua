-- Writes what one daemon wants kept, of those slots only that it still holds.
-- KEYS: leases, mirror of the paused keys, writes (the number of the last one in each slot)
-- ARGV: daemon, number of this write, number of slots, slot and fence of each, then operations:
--   forget  slot channel
--   decide  slot channel decision(JSON) kept
--   record  slot channel record
--   erase   slot channel
--   view    slot channel held(0|1) now timer_started_at("" = no timer) seconds_left
-- Answers: now (ms), the slots that are another's by now, those of which Redis has forgotten whose they are, channel and
-- wish ("pause", "resume") of each channel that another program has paused or resumed
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local me, number, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local ours, lost, forgotten, wishes = {}, {}, {}, {}
local at = 4
for _ = 1, count do
  local slot, fence = ARGV[at], ARGV[at + 1]
  local row = redis.call('HGET', KEYS[1], slot)
  local who, held = string.match(row or '', '^(%S+) (%d+) ')
  if not who or tonumber(held) < tonumber(fence) then
    forgotten[#forgotten + 1] = tonumber(slot)
  elseif who == me and held == fence then
    -- One that was sent earlier and held up on its way must not undo what is newer.
    if tonumber(redis.call('HGET', KEYS[3], slot) or '0') < number then
      ours[slot] = true
      redis.call('HSET', KEYS[3], slot, ARGV[2])
    end
  else
    lost[#lost + 1] = tonumber(slot)
  end
  at = at + 2
end
local function paused(channel) return 'auto_end:' .. channel .. ':paused' end
local arguments = { forget = 0, decide = 2, record = 1, erase = 0, view = 4 }
while at <= #ARGV do
  local what, slot, channel = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local a, b, c, d = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  at = at + 3 + arguments[what]
  if ours[slot] then
    if what == 'forget' then
      redis.call('DEL', 'sattva:journal:' .. channel)
    elseif what == 'decide' then
      redis.call('RPUSH', 'sattva:journal:' .. channel, a)
      redis.call('LTRIM', 'sattva:journal:' .. channel, -tonumber(b), -1)
    elseif what == 'record' then
      redis.call('HSET', 'sattva:records:' .. slot, channel, a)
    elseif what == 'erase' then
      redis.call('HDEL', 'sattva:records:' .. slot, channel)
      redis.call('DEL', 'auto_end:' .. channel .. ':timer')
      if redis.call('SREM', KEYS[2], channel) == 1 then redis.call('DEL', paused(channel)) end
    elseif what == 'view' then
      local timer = 'auto_end:' .. channel .. ':timer'
      if c == '' then redis.call('DEL', timer) else redis.call('SET', timer, c, 'EX', d) end
      -- What is mirrored and what is there differ only where another program has had its hands in it.
      local mirrored = redis.call('SISMEMBER', KEYS[2], channel) == 1
      local there = redis.call('EXISTS', paused(channel)) == 1
      if a == '1' and mirrored and not there then
        wishes[#wishes + 1] = channel
        wishes[#wishes + 1] = 'resume'
      elseif a == '1' and not mirrored then
        if not there then redis.call('SET', paused(channel), b) end
        redis.call('SADD', KEYS[2], channel)
      elseif a == '0' and mirrored then
        redis.call('DEL', paused(channel))
        redis.call('SREM', KEYS[2], channel)
      elseif a == '0' and there then
        wishes[#wishes + 1] = channel
        wishes[#wishes + 1] = 'pause'
      end
    end
  end
end
return { now, lost, forgotten, wishes }
