package b2bua

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"legwork/b2bua/message"
)

// owner is what a call and a request outside dialogs have in common: a mailbox
// that owns it, and a router that is asked about it. Its fields belong to the
// goroutine that runs the mailbox, but for id and server.
type owner struct {
	mailbox
	id     string
	server *Server
	router Router
	source Source
	proof  proof // what its credentials have shown
	proven bool  // by a challenge of the script

	asked     int // number of the question that the router is answering
	abandon   context.CancelFunc
	last      overheard
	forgotten bool // nothing leads here any more; the router is closed

	facts atomic.Pointer[fact] // what hooks have told, the last first
}

// own sets up what r owns; its router comes next.
func (s *Server) own(o *owner, r reader, in *admitted) {
	o.id, o.server, o.source, o.proof = s.newID(in.req), s, in.source, in.proof
	o.serves, o.crew = r, &s.crew
}

// wants tells whether a hook is to be asked: none is once the router is closed.
func (o *owner) wants(h Hook) bool { return !o.forgotten && o.router.Wants(h) }

// ask puts a question that may wait, once the mailbox is empty; the answer comes
// back as an event.
func (o *owner) ask(question func(context.Context) Decided) {
	ctx, cancel := context.WithCancel(o.server.ctx)
	o.asked++
	o.abandon = cancel
	asked := o.asked
	o.question = func() event {
		defer cancel()
		return decided{asked, o.server.locate(question(ctx))}
	}
}

// log is the server's log with the owner's id.
func (o *owner) log() *slog.Logger { return o.server.log.With("call", o.id) }

// tell passes an event to the observers.
func (o *owner) tell(ev Event) {
	if len(o.server.cfg.Observers) == 0 {
		return
	}
	o.settleFacts()
	ev.Call, ev.At = o.id, time.Now()
	o.observe(&ev)
}

// heard tells the observers of a message that came.
func (o *owner) heard(l *leg, m *message.Message) {
	if l.digest != nil && !m.IsRequest() {
		l.digest.Learn(m)
	}
	if o.server.settings().Leaks != nil {
		o.last = overheard{l, m}
	}
	if len(o.server.cfg.Observers) > 0 {
		o.tell(Event{Kind: EventReceived, Leg: l.view(), Message: m})
	}
}

// fault reports a panic of ours inside what it owns.
func (o *owner) fault(r any) {
	o.server.faults.Add(1)
	o.log().Error("fault in a call", "err", fmt.Sprint(r), "stack", string(debug.Stack()))
}

// dice are the random numbers that order its targets.
func (o *owner) dice() func() float64 {
	if d := o.server.cfg.Dice; d != nil {
		return d(o.id)
	}
	return o.server.cfg.Rand
}
