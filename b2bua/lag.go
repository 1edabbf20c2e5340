package b2bua

import (
	"sync"
	"time"
)

// lag is how long a new call must wait for its mailbox: the least that any has
// waited in the last tenth of a second. One that waits long is an accident, all
// that do are overload. While none are let in nothing is known, and so a few are
// let in again.
type lag struct {
	mu    sync.Mutex // guards all below
	since time.Time  // begin of this tenth
	least time.Duration
	last  time.Duration // least of the tenth before
}

const lagWindow = 100 * time.Millisecond

// saw takes how long a call has waited.
func (l *lag) saw(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch age := now.Sub(l.since); {
	case age > 2*lagWindow:
		l.since, l.least, l.last = now, d, 0
	case age > lagWindow:
		l.since, l.least, l.last = now, d, l.least
	default:
		l.least = min(l.least, d)
	}
}

func (l *lag) now() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.since) > 2*lagWindow {
		return 0
	}
	return l.last
}
