package redisstore

import "github.com/redis/go-redis/v9"

// A script is Lua that Redis runs as one step. Each of them does the same when it
// is run again after its answer was lost, and then writes again, so that a WAIT
// behind it waits for what it did the first time, too.
type script string

// guard begins every script, and lets it fail on a replica, which need not know the
// last Save: PERSIST is a write, and does nothing, since no key here has a time to
// live. Other errors of it do not matter: a server that cannot write can be read.
const guard = `
local write = redis.pcall('PERSIST', KEYS[1])
if type(write) == 'table' and write.err and string.find(write.err, 'READONLY', 1, true) then
	return write
end
`

// lua returns the script as go-redis sends it: by its hash, which is computed when
// it is first used.
func (s *Store) lua(x script) *redis.Script {
	if known, ok := s.scripts.Load(x); ok {
		return known.(*redis.Script)
	}
	prepared, _ := s.scripts.LoadOrStore(x, redis.NewScript(guard+string(x)))
	return prepared.(*redis.Script)
}

// load: KEYS record.
const load script = `
return redis.call('GET', KEYS[1])
`

// page: KEYS index; ARGV first, last, count.
const page script = `
return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
`

// create: KEYS record, index; ARGV new version, member, data.
const create script = `
local version = redis.call('GETRANGE', KEYS[1], 0, 25)
if version == ARGV[1] then
	redis.call('SETRANGE', KEYS[1], 0, version)
	return 1
elseif version ~= '' then
	return 0
end
redis.call('ZADD', KEYS[2], 0, ARGV[2])
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[3])
return 1
`

// swap: KEYS record; ARGV old version, new version, data. It has one key, so that
// renewals go on while a Cluster moves a slot.
const swap script = `
local version = redis.call('GETRANGE', KEYS[1], 0, 25)
if version == ARGV[2] then
	redis.call('SETRANGE', KEYS[1], 0, version)
	return 1
elseif version ~= ARGV[1] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[2] .. ARGV[3])
return 1
`

// remove: KEYS record, index; ARGV old version, member.
const remove script = `
local version = redis.call('GETRANGE', KEYS[1], 0, 25)
if version ~= '' and version ~= ARGV[1] then
	return 0
end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[2], 0, ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
`

// touch: KEYS record. It writes what is there, or is not there, once more.
const touch script = `
local version = redis.call('GETRANGE', KEYS[1], 0, 25)
if version == '' then
	redis.call('SET', KEYS[1], '.')
	redis.call('DEL', KEYS[1])
else
	redis.call('SETRANGE', KEYS[1], 0, version)
end
return 1
`
