package lib

import (
	"sync"
	"time"
)

// A breaker keeps away from a server that fails: after so many failures within
// the window it refuses for a while, then lets one request try.
type breaker struct {
	failures     int // 0: no breaker
	window, open time.Duration

	mu      sync.Mutex  // guards what follows
	recent  []time.Time // failures within the window, at most `failures`
	until   time.Time   // refuse until then; zero: closed
	probing bool        // the one request that tries is out
}

// An outcome is what a request told about its server.
type outcome uint8

const (
	outcomeGood    outcome = iota // it answered
	outcomeBad                    // it did not, or with 5xx
	outcomeUnknown                // nobody waited for it
)

// admit tells whether a request may go. One that may must be settled.
func (b *breaker) admit() bool {
	if b.failures == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.until.IsZero():
		return true
	case b.probing || time.Now().Before(b.until):
		return false
	}
	b.probing = true
	return true
}

func (b *breaker) settle(o outcome) {
	if b.failures == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, probe := time.Now(), b.probing
	b.probing = false
	switch {
	case o == outcomeGood && (probe || b.until.IsZero()):
		b.recent, b.until = b.recent[:0], time.Time{}
	case o != outcomeBad:
	case probe:
		b.until = now.Add(b.open)
	case b.until.IsZero():
		for len(b.recent) > 0 && now.Sub(b.recent[0]) > b.window {
			b.recent = b.recent[1:]
		}
		if b.recent = append(b.recent, now); len(b.recent) >= b.failures {
			b.until = now.Add(b.open)
		}
	}
}
