package b2bua

import (
	"runtime"
	"sync"
)

// crew runs mailboxes on goroutines that are used again: a fresh one would grow
// its stack anew for each event, a tenth of the time of a call. There are as
// many as there is work; a few wait for more.
type crew struct {
	mu     sync.Mutex // guards all below
	idle   []chan *mailbox
	closed bool
}

// start runs a mailbox on a waiting goroutine, or on a new one.
func (w *crew) start(b *mailbox) {
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		go w.work(b)
		return
	}
	hand := w.idle[last]
	w.idle = w.idle[:last]
	w.mu.Unlock()
	hand <- b
}

// work runs b and what comes after it.
func (w *crew) work(b *mailbox) {
	hand := make(chan *mailbox, 1)
	for b != nil {
		b.run()
		if !w.wait(hand) {
			return
		}
		b = <-hand
	}
}

// wait offers a goroutine for more work; false when there are enough.
func (w *crew) wait(hand chan *mailbox) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) >= 4*runtime.GOMAXPROCS(0) {
		return false
	}
	w.idle = append(w.idle, hand)
	return true
}

// close sends the waiting home.
func (w *crew) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, hand := range w.idle {
		close(hand)
	}
	w.idle = nil
}
