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
	if c.enter(ev) {
		c.server.crew.start(c)
	}
}

// take handles an event in the goroutine that brings it, a socket's reader, when
// nobody empties the box and no hook will be asked: to wake another for it would
// cost more than the event. Whatever comes behind it is the crew's.
func (c *Call) take(ev event) {
	b := &c.box
	b.mu.Lock()
	if b.running || !c.plain {
		b.mu.Unlock()
		c.post(ev)
		return
	}
	b.running = true
	b.mu.Unlock()
	c.handle(ev)
	b.mu.Lock()
	more := len(b.queue) > 0 || c.question != nil
	b.running = more
	b.mu.Unlock()
	if more {
		c.server.crew.start(c)
	}
}

// enter adds an event and reports whether whoever added it is now the runner.
func (c *Call) enter(ev event) bool {
	b := &c.box
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, ev)
	first := !b.running
	b.running = true
	return first
}

// run empties the box. A question to the router that came up is then put by
// this goroutine: it may wait, the box is open to others meanwhile, and nobody
// had to be woken for it.
func (c *Call) run() {
	for {
		question := c.empty()
		if question == nil || !c.enter(question()) {
			return
		}
	}
}

// empty handles events in the order they were posted until there are none,
// leaves the box to others, and returns the question that came up, if any.
func (c *Call) empty() (question func() event) {
	var batch []event
	b := &c.box
	for {
		b.mu.Lock()
		batch, b.queue = b.queue, batch[:0]
		if len(batch) == 0 {
			question, c.question = c.question, nil
			b.queue, b.running = nil, false
			b.mu.Unlock()
			return question
		}
		b.mu.Unlock()
		for i, ev := range batch {
			c.handle(ev)
			batch[i] = nil
		}
	}
}
