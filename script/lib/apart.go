package lib

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"legwork/b2bua/store"
)

// Apart makes an Env for scripts that run for a trial, of which nobody notices
// anything: they read the store as it is, and write beside it; limits, metrics
// and the log are of their own, which nobody sees. For calls they look nothing
// up but what a Memo knows; outside of calls they may read.
func (e *Env) Apart() (*Env, error) {
	cfg := e.cfg
	cfg.Metrics, cfg.Log, cfg.Lookups, cfg.Fate = nil, slog.New(slog.DiscardHandler), reading{}, nil
	beside := &beside{own: store.NewMemory(store.Limits{Bytes: maxBeside}), gone: map[string]bool{}}
	if e.remote == nil {
		beside.live = cfg.Store
	}
	cfg.Store = beside
	if e.own != nil {
		cfg.Transport = nil // one of its own, that it may close
	}
	one, err := NewEnv(cfg)
	if err != nil {
		return nil, err
	}
	one.apart, one.blind = true, e.remote != nil
	return one, nil
}

// maxBeside bounds what scripts write beside the store, and maxGone the keys
// whose end is remembered.
const (
	maxBeside = 64 << 20
	maxGone   = 100_000
)

// errApart is what a look-up gives that might change something.
var errApart = Refusal("refused: scripts that run for a trial only read")

// reading are look-ups outside of calls.
type reading struct{}

func (reading) Look(ctx context.Context, q *Question, live func(context.Context) (Answer, error)) (Answer, error) {
	if q.Call == "" && q.reads() {
		return live(ctx)
	}
	return Answer{}, errApart
}

// reads tells whether a question surely changes nothing.
func (q *Question) reads() bool {
	name, rest, _ := strings.Cut(q.Key, " ")
	verb, _, _ := strings.Cut(rest, " ")
	switch q.Kind {
	case "http":
		return name == "GET"
	case "redis":
		return slices.Contains([]string{"get", "hget", "hgetall", "exists", "smembers", "sismember"}, verb)
	case "sql":
		return strings.EqualFold(verb, "select") && !strings.Contains(strings.ToLower(rest), " into ")
	}
	return q.Kind == "dns"
}

// beside is a store whose writes go elsewhere.
type beside struct {
	live store.Store // read only; nil: one over a network, which is not asked
	own  *store.Memory

	mu   sync.Mutex // guards gone
	gone map[string]bool
}

func (b *beside) Get(key string) (string, bool, error) {
	if value, ok, err := b.own.Get(key); ok || err != nil {
		return value, ok, err
	}
	b.mu.Lock()
	gone := b.gone[key]
	b.mu.Unlock()
	if gone || b.live == nil {
		return "", false, nil
	}
	return b.live.Get(key)
}

// fetch brings a value over that is about to be changed.
func (b *beside) fetch(key string, ttl time.Duration) error {
	value, ok, err := b.Get(key)
	if ok && err == nil {
		_, err = b.own.CAS(key, nil, &value, ttl)
	}
	return err
}

func (b *beside) Set(key, value string, ttl time.Duration) error { return b.own.Set(key, value, ttl) }

func (b *beside) Incr(key string, by float64, ttl time.Duration) (float64, error) {
	if err := b.fetch(key, ttl); err != nil {
		return 0, err
	}
	return b.own.Incr(key, by, ttl)
}

func (b *beside) CAS(key string, old, new *string, ttl time.Duration) (bool, error) {
	if err := b.fetch(key, ttl); err != nil {
		return false, err
	}
	done, err := b.own.CAS(key, old, new, ttl)
	if done && new == nil {
		b.forget(key)
	}
	return done, err
}

func (b *beside) Delete(key string) (bool, error) {
	_, was, err := b.Get(key)
	if err != nil {
		return false, err
	}
	b.forget(key)
	_, err = b.own.Delete(key)
	return was, err
}

func (b *beside) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.gone) < maxGone {
		b.gone[key] = true
	}
}
