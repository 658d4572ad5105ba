-- What other programs want of channels, by their paused keys: those that differ from what was mirrored there.
-- KEYS: mirror of the paused keys
-- ARGV: number of slots, slots all of whose channels are looked at, then slot and channel of each other one
-- Answers: channel and wish ("pause", "resume") of each
local wishes = {}
local function look(channel)
  local mirrored = redis.call('SISMEMBER', KEYS[1], channel) == 1
  local there = redis.call('EXISTS', 'auto_end:' .. channel .. ':paused') == 1
  if mirrored ~= there then
    wishes[#wishes + 1] = channel
    wishes[#wishes + 1] = there and 'pause' or 'resume'
  end
end
local slots = tonumber(ARGV[1])
for i = 2, slots + 1 do
  for _, channel in ipairs(redis.call('HKEYS', 'sattva:records:' .. ARGV[i])) do look(channel) end
end
for i = slots + 2, #ARGV, 2 do
  if redis.call('HEXISTS', 'sattva:records:' .. ARGV[i], ARGV[i + 1]) == 1 then look(ARGV[i + 1]) end
end
return wishes
