-- Gives this daemon's slots back at once.
-- KEYS: leases
-- ARGV: daemon, then slot and fence of each
for i = 2, #ARGV, 2 do
  local row = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  local who, fence, rest = string.match(row, '^(%S+) (%d+) %d+ (.+)$')
  if who == ARGV[1] and fence == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], who .. ' ' .. fence .. ' 0 ' .. rest)
  end
end
return 0
