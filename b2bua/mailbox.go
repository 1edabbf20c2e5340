package b2bua

import "sync"

// mailbox is the only door to a call. post never blocks, because it is called
// by the reader of a socket; one goroutine at a time empties the box, and there
// is none while it is empty.
type mailbox struct {
	mu      sync.Mutex // guards queue and running
	queue   []event
	running bool
}

// post adds an event and starts the runner when there is none.
func (c *Call) post(ev event) {
	b := &c.box
	b.mu.Lock()
	b.queue = append(b.queue, ev)
	start := !b.running
	b.running = true
	b.mu.Unlock()
	if start {
		c.server.crew.start(c)
	}
}

// run handles events in the order they were posted until the box is empty.
func (c *Call) run() {
	var batch []event
	for {
		b := &c.box
		b.mu.Lock()
		batch, b.queue = b.queue, batch[:0]
		if len(batch) == 0 {
			b.queue, b.running = nil, false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		for i, ev := range batch {
			c.handle(ev)
			batch[i] = nil
		}
	}
}
