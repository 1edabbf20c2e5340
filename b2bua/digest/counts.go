package digest

import (
	"bytes"
	"container/heap"
	"math"
	"sync"
	"time"
)

// counts remembers which nonce counts were used, so that a recorded request
// does not pass twice. Only who knows a password gets something into it. When
// it is full the oldest nonce goes, and with it all that were issued before:
// they count as stale, not as unused.
type counts struct {
	lifetime time.Duration
	most     int // nonces remembered

	mu    sync.Mutex // guards what follows
	used  map[stamp]*window
	ages  ages  // keys of used, the oldest first
	floor int64 // what was issued at or before this is stale; unix nanoseconds
}

// window tells which of the highest count and the 63 below it were used:
// requests of one client may overtake each other.
type window struct {
	highest uint32
	below   uint64 // bit n: highest-n was used
}

// fresh tells whether a nonce may still be used.
func (c *counts) fresh(s stamp, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live(s, now)
}

// live refuses the future too, where a clock that was set back left nonces.
func (c *counts) live(s stamp, now time.Time) bool {
	age := now.UnixNano() - s.issued()
	return s.issued() > c.floor && age <= int64(c.lifetime) && age >= -int64(c.lifetime)
}

// take uses up a nonce count: OK, Replayed, or Stale when the nonce grew too
// old meanwhile. Without a count (RFC 2069, nc 0) a nonce is good for one
// request and then for none, counted or not.
func (c *counts) take(s stamp, nc uint32, now time.Time) Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.live(s, now) {
		return Stale
	}
	w := c.used[s]
	if w == nil {
		w = c.remember(s, now)
	} else if nc == 0 {
		return Replayed
	}
	if nc == 0 {
		*w = window{highest: math.MaxUint32, below: math.MaxUint64}
		return OK
	}
	if !w.take(nc) {
		return Replayed
	}
	return OK
}

// remember makes room first: for what expired nothing is lost, for the oldest
// of the others the floor rises.
func (c *counts) remember(s stamp, now time.Time) *window {
	for len(c.ages) > 0 && (len(c.ages) >= c.most || !c.live(c.ages[0], now)) {
		oldest := heap.Pop(&c.ages).(stamp)
		delete(c.used, oldest)
		c.floor = max(c.floor, oldest.issued())
	}
	w := &window{}
	c.used[s] = w
	heap.Push(&c.ages, s)
	return w
}

// take is false for a count that was used or is too far below the highest to
// tell.
func (w *window) take(nc uint32) bool {
	if nc > w.highest {
		w.below = w.below<<(nc-w.highest) | 1 // a shift of 64 and more leaves 0
		w.highest = nc
		return true
	}
	bit := uint64(1) << (w.highest - nc)
	if bit == 0 || w.below&bit != 0 {
		return false
	}
	w.below |= bit
	return true
}

// ages is a heap of stamps.
type ages []stamp

func (a ages) Len() int           { return len(a) }
func (a ages) Less(i, j int) bool { return bytes.Compare(a[i][:], a[j][:]) < 0 }
func (a ages) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push is heap.Interface's.
func (a *ages) Push(x any) { *a = append(*a, x.(stamp)) }

// Pop is heap.Interface's.
func (a *ages) Pop() any {
	last := len(*a) - 1
	s := (*a)[last]
	*a = (*a)[:last]
	return s
}
