package transaction

import (
	"sync"
	"time"
)

// grain is how much later than its time a queue may look again: under load one
// wake-up serves many transactions.
const grain = 20 * time.Millisecond

// timed is a transaction whose time may come. expire runs without the queue's
// lock; round tells a timer that is meant from one that was stopped meanwhile.
type timed interface {
	expire(n *node, round uint32)
}

// node is a transaction's place in a queue. Its transaction's lock guards home;
// home's lock guards the rest, but that round may be read under either.
type node struct {
	tx         timed
	home       *queue
	prev, next *node
	due        time.Time
	round      uint32
	listed     bool
}

// queue holds the transactions that wait for the same duration, so that they
// expire in the order in which they came. One runtime timer serves all of them
// and runs only while there are any.
type queue struct {
	wait time.Duration

	mu         sync.Mutex // guards all below and the listed nodes
	head, tail *node
	timer      *time.Timer
	armed      bool
	closed     bool
}

// start puts n at the end; a node waits in one queue at a time.
func (q *queue) start(n *node) {
	n.stop()
	n.home = q
	q.mu.Lock()
	defer q.mu.Unlock()
	n.round++
	if q.closed {
		return
	}
	n.due, n.listed, n.prev = time.Now().Add(q.wait), true, q.tail
	if q.tail == nil {
		q.head = n
	} else {
		q.tail.next = n
	}
	q.tail = n
	if !q.armed {
		q.arm(q.wait)
	}
}

func (q *queue) arm(d time.Duration) {
	q.armed = true
	if q.timer == nil {
		q.timer = time.AfterFunc(d, q.run)
		return
	}
	q.timer.Reset(d)
}

// stop takes n out of its queue. A timer that has just fired finds its round
// gone.
func (n *node) stop() {
	if n.home == nil {
		return
	}
	n.home.mu.Lock()
	n.home.unlink(n)
	n.round++
	n.home.mu.Unlock()
	n.home = nil
}

func (q *queue) unlink(n *node) {
	if !n.listed {
		return
	}
	if n.prev == nil {
		q.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		q.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.prev, n.next, n.listed = nil, nil, false
}

// run expires what is due and sleeps until the next one is.
func (q *queue) run() {
	for {
		n, round := q.pop()
		if n == nil {
			return
		}
		n.tx.expire(n, round)
	}
}

func (q *queue) pop() (*node, uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.head
	if n == nil || q.closed {
		q.armed = false
		return nil, 0
	}
	if left := time.Until(n.due); left > 0 {
		q.arm(max(left, grain))
		return nil, 0
	}
	q.unlink(n)
	return n, n.round
}

// close lets nothing expire any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.timer != nil {
		q.timer.Stop()
	}
}

// queues has one queue for each duration that section 17 knows.
type queues struct {
	t1, t2   time.Duration
	again    []*queue // timers A, E, G: T1 and its doubles, and T2
	end      *queue   // 64*T1: timers B, F, H, J, L, M
	absorb   *queue   // timer D: as end, but never less than 32 s
	settle   *queue   // T4: timers I, K
	trying   *queue   // until a request other than INVITE gets its 100
	trailing *queue   // from that 100 to 64*T1
}

func newQueues(t1, t2, t4 time.Duration) *queues {
	q := &queues{
		t1: t1, t2: t2,
		again:  []*queue{{wait: t2}},
		end:    &queue{wait: 64 * t1},
		absorb: &queue{wait: max(64*t1, 32*time.Second)},
		settle: &queue{wait: t4},
	}
	for d := t1; d < 64*t1; d *= 2 {
		q.again = append(q.again, &queue{wait: d})
	}
	// RFC 4320 section 4.1: when a client's timer E has grown to T2.
	grown := t1
	for d := 2 * t1; d < min(t2, 32*t1); d *= 2 {
		grown += d
	}
	q.trying, q.trailing = &queue{wait: grown}, &queue{wait: 64*t1 - grown}
	return q
}

// retransmit starts a timer of a duration that double gave.
func (q *queues) retransmit(n *node, d time.Duration) {
	for _, one := range q.again {
		if one.wait == d {
			one.start(n)
			return
		}
	}
	q.end.start(n)
}

func (q *queues) close() {
	for _, one := range q.again {
		one.close()
	}
	for _, one := range []*queue{q.end, q.absorb, q.settle, q.trying, q.trailing} {
		one.close()
	}
}
