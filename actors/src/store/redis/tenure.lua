-- Renews this daemon's leases and takes what is free, on Redis's own clock.
-- A row of the leases is "daemon fence until from lease": who holds a slot, under which fence, until when (ms), the
-- fence it was held under before Redis lost its data, or "-", and for how long it was leased (ms).
-- KEYS: leases, pulses, fence, born, writes
-- ARGV: daemon, lease (ms), grace (ms), settled (1: it has spoken with Redis for long enough to take what has run out),
--   pulse or "", slots, then slot and fence of each slot it believes it holds
-- Answers: now (ms), and of each slot that it holds from here on: slot, fence, how ("kept", "taken", "anew")
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local me, lease, grace, settled = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local pulse, slots = ARGV[5], tonumber(ARGV[6])
local born = tonumber(redis.call('GET', KEYS[4]) or nil)
if not born or born > now then
  -- From the future: Redis's clock was set back.
  born = now
  redis.call('SET', KEYS[4], string.format('%.0f', now))
end
local function row(who, fence, till, from, whole)
  return who .. ' ' .. fence .. ' ' .. string.format('%.0f', till) .. ' ' .. from .. ' ' .. whole
end
local rows, mine, highest = {}, {}, 0
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do rows[flat[i]] = flat[i + 1] end
for i = 7, #ARGV, 2 do
  mine[ARGV[i]] = ARGV[i + 1]
  if tonumber(ARGV[i + 1]) > highest then highest = tonumber(ARGV[i + 1]) end
end
local last = tonumber(redis.call('GET', KEYS[3]) or '0')
local fresh = math.max(now, last + 1, highest + 1)
local held, took = {}, false
for n = 0, slots - 1 do
  local slot = tostring(n)
  local who, fence, till, from, whole
  if rows[slot] then who, fence, till, from, whole = string.match(rows[slot], '^(%S+) (%d+) (%d+) (%S+) (%d+)$') end
  local how
  if who == me and fence == mine[slot] then
    how = 'kept'
  elseif who == me and mine[slot] and from == mine[slot] then
    -- The answer that told of it was lost.
    how = 'anew'
  elseif mine[slot] and (not who or tonumber(fence) < tonumber(mine[slot])) then
    -- Redis has lost its data, or has older data than it had: whoever held it last knows best, and comes first.
    how, fence, from = 'anew', string.format('%.0f', fresh), mine[slot]
  elseif not who then
    -- Nobody has ever held it, or whoever did has not come back.
    if now >= born + grace then how, fence, from = 'taken', string.format('%.0f', fresh), '-' end
  elseif till == '0' or (settled and (who == me or tonumber(till) <= now)) then
    how, fence, from = 'taken', string.format('%.0f', fresh), '-'
  elseif tonumber(till) > now + tonumber(whole) then
    -- Redis's clock was set back.
    redis.call('HSET', KEYS[1], slot, row(who, fence, now + tonumber(whole), from, whole))
  end
  if how then
    redis.call('HSET', KEYS[1], slot, row(me, fence, now + lease, from, ARGV[2]))
    if how ~= 'kept' then redis.call('HDEL', KEYS[5], slot) end
    if pulse ~= '' and how ~= 'taken' then redis.call('HSET', KEYS[2], slot, pulse) end
    if tonumber(fence) > last then last, took = tonumber(fence), true end
    held[#held + 1] = { n, fence, how }
  end
end
if took then redis.call('SET', KEYS[3], string.format('%.0f', last)) end
return { now, held }
