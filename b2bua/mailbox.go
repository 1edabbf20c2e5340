package b2bua

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// mailbox is the only door to what it serves: a call, a request outside dialogs,
// a pair of subscriptions. post never blocks, because it is called by the reader
// of a socket; one goroutine at a time empties the box, and there is none while
// it is empty.
type mailbox struct {
	serves   reader
	crew     *crew
	plain    bool         // no hook that a reader's goroutine may not ask is asked inside
	question func() event // that may wait, not yet put; the runner's

	mu      sync.Mutex // guards queue and running
	queue   []event
	running bool
}

// reader takes the events of a mailbox, one after the other.
type reader interface{ handle(ev event) }

// post adds an event and starts the runner when there is none.
func (b *mailbox) post(ev event) {
	if b.enter(ev) {
		b.crew.start(b)
	}
}

// take handles an event in the goroutine that brings it, a socket's reader, when
// nobody empties the box and no hook will be asked: to wake another for it would
// cost more than the event. Whatever comes behind it is the crew's.
func (b *mailbox) take(ev event) {
	b.mu.Lock()
	if b.running || !b.plain {
		b.mu.Unlock()
		b.post(ev)
		return
	}
	b.running = true
	b.mu.Unlock()
	b.serves.handle(ev)
	b.mu.Lock()
	more := len(b.queue) > 0 || b.question != nil
	b.running = more
	b.mu.Unlock()
	if more {
		b.crew.start(b)
	}
}

// enter adds an event and reports whether whoever added it is now the runner.
func (b *mailbox) enter(ev event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, ev)
	first := !b.running
	b.running = true
	return first
}

// run empties the box. A question that came up is then put by this goroutine: it
// may wait, the box is open to others meanwhile, and nobody had to be woken for
// it.
func (b *mailbox) run() {
	for {
		question := b.empty()
		if question == nil || !b.enter(put(question)) {
			return
		}
	}
}

// faulted says that a question found a fault of ours; its owner survives it as
// it does one of its own.
type faulted struct{ why string }

func (faulted) event() {}

func put(question func() event) (answer event) {
	defer func() {
		if r := recover(); r != nil {
			answer = faulted{fmt.Sprintf("%v, in a question:\n%s", r, debug.Stack())}
		}
	}()
	return question()
}

// empty handles events in the order they were posted until there are none,
// leaves the box to others, and returns the question that came up, if any.
func (b *mailbox) empty() (question func() event) {
	var batch []event
	for {
		b.mu.Lock()
		batch, b.queue = b.queue, batch[:0]
		if len(batch) == 0 {
			question, b.question = b.question, nil
			b.queue, b.running = nil, false
			b.mu.Unlock()
			return question
		}
		b.mu.Unlock()
		for i, ev := range batch {
			b.serves.handle(ev)
			batch[i] = nil
		}
	}
}
