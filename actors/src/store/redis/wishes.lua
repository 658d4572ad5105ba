-- What other programs want of channels, by their paused keys: those that differ from what was mirrored there.
-- KEYS: mirror of the paused keys
-- ARGV: slot, then channels; without any, all channels of the slot
-- Answers: channel and wish ("pause", "resume") of each
local records = 'sattva:records:' .. ARGV[1]
local channels, wishes = {}, {}
if #ARGV == 1 then
  channels = redis.call('HKEYS', records)
else
  for i = 2, #ARGV do
    if redis.call('HEXISTS', records, ARGV[i]) == 1 then channels[#channels + 1] = ARGV[i] end
  end
end
for _, channel in ipairs(channels) do
  local mirrored = redis.call('SISMEMBER', KEYS[1], channel) == 1
  local there = redis.call('EXISTS', 'auto_end:' .. channel .. ':paused') == 1
  if mirrored ~= there then
    wishes[#wishes + 1] = channel
    wishes[#wishes + 1] = there and 'pause' or 'resume'
  end
end
return wishes
