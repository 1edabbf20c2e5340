package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"legwork/b2bua/store/redis"
)

// Remote is a Store that is asked over a network: its methods may take as long
// as the server's time allows.
type Remote interface {
	Store
	// Within is the same store for one question, given up at the end of ctx.
	Within(ctx context.Context) Shared
}

// Shared is what a store of several processes has besides.
type Shared interface {
	Store
	// Take counts a member under a key for so long, unless max others are
	// counted there; a member that is counted already stays.
	Take(key, member string, most int, lease time.Duration) (bool, error)
	// Renew counts members for so long from now.
	Renew(key string, members []string, lease time.Duration) error
	// Release counts a member no more.
	Release(key, member string) error
	// Rate takes a token from a bucket of burst tokens that fills at so many
	// a second; false when it is empty.
	Rate(key string, perSecond float64, burst int) (bool, error)
}

// ErrAway is a server that has not answered just now, and is left alone for a
// moment.
var ErrAway = errors.New("redis does not answer")

// A server that fails so often without an answer is left alone for so long.
const (
	failuresInRow = 3
	leaveAlone    = time.Second
)

// Redis is a Store that many processes share. It needs Redis 6 or later.
type Redis struct {
	*gate
	prefix string
	ctx    context.Context // of one question; see Within
}

// gate keeps away from a server that does not answer: who asks may hold up
// others.
type gate struct {
	client *redis.Client
	limits Limits

	mu    sync.Mutex // guards what follows
	fails int        // in a row
	until time.Time
}

// NewRedis keeps a store at a server, under keys with this prefix.
func NewRedis(client *redis.Client, prefix string, l Limits) *Redis {
	return &Redis{gate: &gate{client: client, limits: l.withDefaults()}, prefix: prefix, ctx: context.Background()}
}

// Within implements Remote.
func (r *Redis) Within(ctx context.Context) Shared { return &Redis{r.gate, r.prefix, ctx} }

// Get implements Store.
func (r *Redis) Get(key string) (string, bool, error) {
	v, err := r.do("GET", r.prefix+key)
	s, ok := v.(string)
	return s, ok, err
}

// Set implements Store.
func (r *Redis) Set(key, value string, ttl time.Duration) error {
	if err := r.fits(key, value); err != nil {
		return err
	}
	words := []any{"SET", r.prefix + key, value}
	if ttl > 0 {
		words = append(words, "PX", milliseconds(ttl))
	}
	_, err := r.do(words...)
	return err
}

// incr writes numbers as FormatNumber does: CAS compares texts.
const incr = `local old = redis.call('GET', KEYS[1])
local sum = tonumber(ARGV[1])
if old then
  local n = tonumber(old)
  if not n then return redis.error_reply('NOTNUMBER') end
  sum = sum + n
end
if sum ~= sum or sum == math.huge or sum == -math.huge then return redis.error_reply('NOTNUMBER') end
local text = string.format('%.17g', sum)
if sum == math.floor(sum) and math.abs(sum) < 1e15 then text = string.format('%.0f', sum) end
if old then redis.call('SET', KEYS[1], text, 'KEEPTTL')
elseif ARGV[2] ~= '0' then redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
else redis.call('SET', KEYS[1], text) end
return text`

// Incr implements Store.
func (r *Redis) Incr(key string, by float64, ttl time.Duration) (float64, error) {
	if err := r.fits(key, ""); err != nil {
		return 0, err
	}
	v, err := r.do("EVAL", incr, 1, r.prefix+key, FormatNumber(by), milliseconds(ttl))
	if refused, ok := errors.AsType[*redis.Refusal](err); ok && refused.Says("NOTNUMBER") {
		return 0, ErrNotNumber
	}
	if err != nil {
		return 0, err
	}
	text, _ := v.(string)
	return strconv.ParseFloat(text, 64)
}

const cas = `local now = redis.call('GET', KEYS[1])
if ARGV[1] == '0' and now or ARGV[1] == '1' and now ~= ARGV[2] then return 0 end
if ARGV[3] == '0' then redis.call('DEL', KEYS[1])
elseif ARGV[5] ~= '0' then redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
else redis.call('SET', KEYS[1], ARGV[4]) end
return 1`

// CAS implements Store.
func (r *Redis) CAS(key string, old, new *string, ttl time.Duration) (bool, error) {
	was, is := "", ""
	if old != nil {
		was = *old
	}
	if new != nil {
		is = *new
	}
	if err := r.fits(key, is); err != nil {
		return false, err
	}
	return r.isOne("EVAL", cas, 1, r.prefix+key, present(old), was, present(new), is, milliseconds(ttl))
}

// Delete implements Store.
func (r *Redis) Delete(key string) (bool, error) { return r.isOne("DEL", r.prefix+key) }

// The members that are counted under a key are a sorted set, by when they are
// counted no more, on Redis' clock.
const (
	take = `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`
	renew = `local t = redis.call('TIME')
local until_ = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], until_, ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1`
)

// Take implements Shared.
func (r *Redis) Take(key, member string, most int, lease time.Duration) (bool, error) {
	return r.isOne("EVAL", take, 1, r.prefix+"limit:"+key, member, most, milliseconds(lease))
}

// Renew implements Shared.
func (r *Redis) Renew(key string, members []string, lease time.Duration) error {
	words := []any{"EVAL", renew, 1, r.prefix + "limit:" + key, milliseconds(lease)}
	for _, m := range members {
		words = append(words, m)
	}
	_, err := r.do(words...)
	return err
}

// Release implements Shared.
func (r *Redis) Release(key, member string) error {
	_, err := r.do("ZREM", r.prefix+"limit:"+key, member)
	return err
}

// rate is the generic cell rate algorithm: what is kept is when the bucket will
// be full again, in microseconds on Redis' clock.
const rate = `local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local each = 1000000 / ARGV[1]
if full - now > (ARGV[2] - 1) * each + 0.5 then return 0 end
full = full + each
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
return 1`

// Rate implements Shared.
func (r *Redis) Rate(key string, perSecond float64, burst int) (bool, error) {
	return r.isOne("EVAL", rate, 1, r.prefix+"rate:"+key, perSecond, burst)
}

func (r *Redis) isOne(words ...any) (bool, error) {
	v, err := r.do(words...)
	return v == int64(1), err
}

func (r *Redis) fits(key, value string) error {
	if len(key) > r.limits.KeyLen || len(value) > r.limits.ValueLen {
		return fmt.Errorf("%w: a key may have %d bytes and a value %d", ErrTooLarge, r.limits.KeyLen, r.limits.ValueLen)
	}
	return nil
}

func (r *Redis) do(words ...any) (any, error) {
	if r.isShut() {
		return nil, ErrAway
	}
	v, err := r.client.Do(r.ctx, words...)
	_, refused := errors.AsType[*redis.Refusal](err)
	r.settle(err == nil || refused || errors.Is(err, context.Canceled))
	return v, err
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(g.until)
}

func (g *gate) settle(good bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if good {
		g.fails = 0
		return
	}
	if g.fails++; g.fails >= failuresInRow {
		g.until = time.Now().Add(leaveAlone)
	}
}

// milliseconds is a span that is not 0 unless it is none.
func milliseconds(d time.Duration) int64 {
	if d > 0 && d < time.Millisecond {
		return 1
	}
	return d.Milliseconds()
}

func present(s *string) string {
	if s == nil {
		return "0"
	}
	return "1"
}
