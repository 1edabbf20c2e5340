package b2bua

import (
	"fmt"
	"strconv"
	"time"

	"legwork/b2bua/message"
)

// Watcher is an observer that also wants to know what happens inside hooks:
// what they write, ask and are refused.
type Watcher interface {
	Observer
	// Watching is asked when a call begins; while it is false for all watchers
	// nothing of that is kept.
	Watching() bool
}

// Edits is what one hook, profile or response map wrote into one message. It is
// read only, as are both messages.
type Edits struct {
	Into   *message.Message // it goes on changing: for comparing with Event.Message, not for reading
	Before *message.Message // as it was; nil: not kept
	List   []Edit
}

// Edit is one of them.
type Edit struct {
	Op    Op
	Name  string // of the header field, or "uri" "status" "reason" "body" "sdp"; of Keep and Drop the patterns
	Value string // what was written; "": nothing
	File  string // the script's line; "": no script's
	Line  int
}

// Op is what an edit does.
type Op uint8

// The kinds of edits.
const (
	OpSet    Op = iota // replaces all fields of the name
	OpAdd              // one more
	OpRemove           // all of the name
	OpKeep             // removes what is not named
	OpDrop             // removes what is named
	OpMap              // a response map has changed a failure
)

func (o Op) String() string { return [...]string{"set", "add", "remove", "keep", "drop", "map"}[o] }

// Where is the script's line as text, or "".
func (e *Edit) Where() string {
	if e.File == "" {
		return ""
	}
	return e.File + ":" + strconv.Itoa(e.Line)
}

// maxFacts bounds what hooks may tell before the observers hear it: a script that
// asks a limit in a loop must not fill memory with that.
const maxFacts = 1000

// fact is what a router has told and the observers have not heard yet.
type fact struct {
	Event
	before *fact
	n      int // how many there are with it
}

// Watched tells whether anybody hears what Tell says.
func (o *owner) Watched() bool {
	for _, w := range o.server.watchers {
		if w.Watching() {
			return true
		}
	}
	return false
}

// Tell adds what happened inside a hook to the call's story: in front of what
// the engine tells next, which is what the hook has made of it. What is more than
// maxFacts is left out. It may be used from any goroutine.
func (o *owner) Tell(ev Event) {
	ev.Call, ev.At = o.id, time.Now()
	one := &fact{Event: ev}
	for {
		one.before, one.n = o.facts.Load(), 1
		if one.before != nil {
			one.n += one.before.n
		}
		if one.n > maxFacts || o.facts.CompareAndSwap(one.before, one) {
			return
		}
	}
}

// settleFacts passes on what hooks have told, in order.
func (o *owner) settleFacts() {
	if o.facts.Load() == nil {
		return
	}
	var first *fact
	for one := o.facts.Swap(nil); one != nil; {
		next := one.before
		one.before, first, one = first, one, next
	}
	for ; first != nil; first = first.before {
		o.observe(&first.Event)
	}
}

func (o *owner) observe(ev *Event) {
	for _, one := range o.server.cfg.Observers {
		one.Observe(*ev)
	}
}

// happened tells of something that no message shows: a timer, a limit, a
// failure. Leg nil is the caller's.
func (c *Call) happened(kind Kind, l *leg, format string, args ...any) {
	if len(c.server.cfg.Observers) == 0 {
		return
	}
	if l == nil {
		l = c.a
	}
	c.tell(Event{Kind: kind, Leg: l.view(), Text: fmt.Sprintf(format, args...)})
}

// mapped tells of a failure that the response map of a trunk has changed.
func (c *Call) mapped(res, before *message.Message, trunk string) {
	if before == nil {
		return
	}
	value := strconv.Itoa(before.Status) + " → " + strconv.Itoa(res.Status) + " " + res.Reason
	c.tell(Event{Kind: EventEdited, Leg: c.a.view(), Hook: "responses of trunk " + trunk, Edits: &Edits{
		Into: res, Before: before, List: []Edit{{Op: OpMap, Name: "status", Value: value}},
	}})
}

// unmapped keeps a failure for mapped, if anybody wants to know.
func (c *Call) unmapped(res *message.Message) *message.Message {
	if len(c.server.cfg.Observers) == 0 {
		return nil
	}
	return res.Clone()
}
