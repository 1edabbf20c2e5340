package lib

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// An Owner is the call that a hook works for: the same, comparable value in
// every hook of one call.
type Owner interface {
	// OnEnd runs f once when the call is over; at once when it is.
	OnEnd(f func())
}

const (
	maxLimitKey     = 256 // bytes of a limit's key
	maxSlotsPerCall = 64  // limit.concurrent keys one call may hold
	maxBurst        = 1_000_000
	maxBuckets      = 100_000 // limit.rate keys; the one not asked for longest is forgotten
)

// Slots counts the calls that hold a key, for b2b.limit.concurrent.
type slots struct {
	mu   sync.Mutex // guards both; never held while an Owner is called
	used map[string]int
	held map[Owner]map[string]string // by key, the place in a shared store; "": in none
	gone func(p place)               // hears of places in a shared store that are free again
}

func newSlots(gone func(p place)) *slots {
	return &slots{used: make(map[string]int), held: make(map[Owner]map[string]string), gone: gone}
}

// Holding counts the calls that have a place under a key of b2b.limit.concurrent.
func (e *Env) Holding() int {
	e.slots.mu.Lock()
	defer e.slots.mu.Unlock()
	return len(e.slots.held)
}

// take gives the owner a place under the key unless max calls have one. An
// owner that has a place keeps it, whatever max is by now; isNew tells that it
// had none.
func (s *slots) take(o Owner, key string, most int) (ok, isNew bool, err error) {
	ok, isNew, first, err := s.book(o, key, most)
	if first {
		o.OnEnd(func() { s.release(o) })
	}
	return ok, isNew, err
}

func (s *slots) book(o Owner, key string, most int) (ok, isNew, first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine, known := s.held[o]
	if _, has := mine[key]; has {
		return true, false, false, nil
	}
	if s.used[key] >= most {
		return false, false, false, nil
	}
	if len(mine) >= maxSlotsPerCall {
		return false, false, false, fmt.Errorf("one call may count under %d keys", maxSlotsPerCall)
	}
	if !known {
		mine = make(map[string]string, 1)
		s.held[o] = mine
	}
	mine[key] = ""
	s.used[key]++
	return true, true, !known, nil
}

// assign notes the owner's place in a shared store; false when it has ended
// meanwhile.
func (s *slots) assign(o Owner, key, member string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, has := s.held[o][key]; !has {
		return false
	}
	s.held[o][key] = member
	return true
}

// giveUp takes the place back from an owner who has just been given it.
func (s *slots) giveUp(o Owner, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, has := s.held[o][key]; has {
		delete(s.held[o], key)
		s.free(key)
	}
}

func (s *slots) free(key string) {
	if s.used[key]--; s.used[key] <= 0 {
		delete(s.used, key)
	}
}

func (s *slots) release(o Owner) {
	s.mu.Lock()
	mine := s.held[o]
	for key := range mine {
		s.free(key)
	}
	delete(s.held, o)
	s.mu.Unlock()
	for key, member := range mine {
		if member != "" {
			s.gone(place{key, member})
		}
	}
}

// Buckets are the token buckets of b2b.limit.rate.
type buckets struct {
	mu  sync.Mutex // guards all
	all *lru[*rate.Limiter]
}

func newBuckets() *buckets { return &buckets{all: newLRU[*rate.Limiter](maxBuckets)} }

var errRate = errors.New("per_second must be more than 0, and burst from 1 to 1000000")

func isRate(perSecond float64, burst int) bool {
	return perSecond > 0 && !math.IsInf(perSecond, 0) && burst >= 1 && burst <= maxBurst
}

// allow takes a token if there is one. A key that comes with another rate or
// burst than before keeps its tokens as far as they fit.
func (b *buckets) allow(key string, perSecond float64, burst int) (bool, error) {
	if !isRate(perSecond, burst) {
		return false, errRate
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.all.get(key)
	if !ok {
		l = rate.NewLimiter(rate.Limit(perSecond), burst)
		b.all.put(key, l)
	}
	if l.Limit() != rate.Limit(perSecond) {
		l.SetLimitAt(now, rate.Limit(perSecond))
	}
	if l.Burst() != burst {
		l.SetBurstAt(now, burst)
	}
	return l.AllowN(now, 1), nil
}
