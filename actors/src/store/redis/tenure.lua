-- Renews this daemon's leases and takes what is free, on Redis's own clock.
-- A row of the leases is "daemon fence until tenure lease": who holds a slot, under which fence, until when (ms), the
-- fence under which it was taken, which outlives a loss of Redis's data, and for how long it was leased (ms).
-- Daemons that share the slots each keep to their part of them; a daemon counts while it has been heard of within
-- the grace, or its lease, and only once it is settled, for only then may it take what another one gives up. One that dies again and
-- again counts for little more than one; what it holds is kept for it by its leases.
-- KEYS: leases, pulses, fence, born, writes, daemons (of each: when it was last heard of, ms), life (when these data
--   began, by the wall clock of the daemon that found none, ms)
-- ARGV: daemon, lease (ms), grace (ms), settled (1: it has spoken with Redis for so long without a break),
--   current (1: its leases have not run out since it last renewed them), shares (1: with all daemons that do; 0: one
--   has everything), pulse or "", slots, its wall clock (ms), the life in which it was last told what it holds, then slot,
--   fence, tenure and leaving (1: its channels have left, and nothing is vouched for) of each slot it believes it holds
-- Answers: now (ms), life, and of each slot that it holds from here on: slot, fence, how ("kept", "taken", "anew"), or "waits"
--   where it may hold it soon, under the fence it knows, and not yet; and how many slots are more than its part
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local me, lease, grace, settled = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local current, shares, pulse, slots = ARGV[5] == '1', ARGV[6] == '1', ARGV[7], tonumber(ARGV[8])
local wall, lived = ARGV[9], tonumber(ARGV[10])
redis.call('SET', KEYS[7], wall, 'NX')
local life = tonumber(redis.call('GET', KEYS[7]))
local born = tonumber(redis.call('GET', KEYS[4]) or nil)
if not born or born > now then
  -- From the future: Redis's clock was set back.
  born = now
  redis.call('SET', KEYS[4], string.format('%.0f', now))
end
local function row(who, fence, till, tenure, whole)
  return who .. ' ' .. fence .. ' ' .. string.format('%.0f', till) .. ' ' .. tenure .. ' ' .. whole
end
local rows, mine, since, leaving, highest = {}, {}, {}, {}, 0
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do rows[flat[i]] = flat[i + 1] end
for i = 11, #ARGV, 4 do
  mine[ARGV[i]], since[ARGV[i]], leaving[ARGV[i]] = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3] == '1'
  if tonumber(ARGV[i + 1]) > highest then highest = tonumber(ARGV[i + 1]) end
end
local part = slots
if shares then
  local daemons = 1
  local heard = redis.call('HGETALL', KEYS[6])
  for i = 1, #heard, 2 do
    if heard[i] ~= me then
      if math.abs(now - tonumber(heard[i + 1])) <= math.min(lease, grace) then
        daemons = daemons + 1
      else
        redis.call('HDEL', KEYS[6], heard[i])
      end
    end
  end
  part = math.ceil(slots / daemons)
  if settled then redis.call('HSET', KEYS[6], me, string.format('%.0f', now)) end
end
local last = tonumber(redis.call('GET', KEYS[3]) or '0')
local fresh = string.format('%.0f', math.max(now, last + 1, highest + 1))
-- Whether Redis has lost its data, or has older data than it had, and this daemon held a slot later than anybody
-- known by now: it knows best, and comes first. Of several who come, each within the grace, the last holder stays.
local function knows_best(slot, fence, tenure)
  if not mine[slot] then return false end
  if not fence then return true end
  -- Taken since the loss, because nobody came back for it in time. Fences of the life before say nothing against that:
  -- Redis's clock, of which they are made, may have been set back.
  if fence == tenure and life > lived then return false end
  if tonumber(fence) < tonumber(mine[slot]) then return true end
  return tonumber(tenure) < tonumber(since[slot]) and now < tonumber(fence) + grace
end
-- What it has comes first: only what its part still lacks is taken.
local has, count = {}, 0
for n = 0, slots - 1 do
  local slot = tostring(n)
  local who, fence, till, tenure = string.match(rows[slot] or '', '^(%S+) (%d+) (%d+) (%d+)')
  if (who == me and till ~= '0') or knows_best(slot, fence, tenure) then has[slot], count = true, count + 1 end
end
local held, took = {}, false
for n = 0, slots - 1 do
  local slot = tostring(n)
  local who, fence, till, tenure, whole
  if rows[slot] then who, fence, till, tenure, whole = string.match(rows[slot], '^(%S+) (%d+) (%d+) (%d+) (%d+)$') end
  local how
  local lacks = has[slot] or count < part
  if who == me and fence == mine[slot] then
    how = 'kept'
  elseif who == me and tenure == since[slot] then
    -- The answer that told of it was lost.
    how = 'anew'
  elseif knows_best(slot, fence, tenure) then
    -- One that was cut off for longer than its lease waits for whoever held the slot after it.
    if current or settled then
      how, fence, tenure = 'anew', fresh, since[slot]
    else
      held[#held + 1] = { n, mine[slot], 'waits' }
    end
  elseif not who then
    -- Nobody has ever held it, or whoever did has not come back: those who were cut off come before.
    if lacks and now >= born + 2 * grace then how, fence, tenure = 'taken', fresh, fresh end
  elseif till == '0' or (settled and (who == me or tonumber(till) <= now)) then
    if lacks then how, fence, tenure = 'taken', fresh, fresh end
  elseif tonumber(till) > now + tonumber(whole) then
    -- Redis's clock was set back.
    redis.call('HSET', KEYS[1], slot, row(who, fence, now + tonumber(whole), tenure, whole))
  end
  if how then
    redis.call('HSET', KEYS[1], slot, row(me, fence, now + lease, tenure, ARGV[2]))
    if how ~= 'kept' then redis.call('HDEL', KEYS[5], slot) end
    if pulse ~= '' and how ~= 'taken' and not leaving[slot] then redis.call('HSET', KEYS[2], slot, pulse) end
    if tonumber(fence) > last then last, took = tonumber(fence), true end
    if not has[slot] then count = count + 1 end
    held[#held + 1] = { n, fence, how }
  end
end
if took then redis.call('SET', KEYS[3], string.format('%.0f', last)) end
return { now, life, held, math.max(0, count - part) }
