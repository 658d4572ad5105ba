-- Gives slots of this daemon back at once: some of them, or all because it ends.
-- KEYS: leases, daemons
-- ARGV: daemon, ends (1) or not (0), then slot and fence of each
if ARGV[2] == '1' then redis.call('HDEL', KEYS[2], ARGV[1]) end
for i = 3, #ARGV, 2 do
  local row = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  local who, fence, rest = string.match(row, '^(%S+) (%d+) %d+ (.+)$')
  if who == ARGV[1] and fence == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], who .. ' ' .. fence .. ' 0 ' .. rest)
  end
end
return 0
