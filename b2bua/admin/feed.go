package admin

import (
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"legwork/b2bua"
)

// Types of events besides those of b2bua.Change.
const (
	CallStarted      = "call.started"
	CallAnswered     = "call.answered"
	CallEnded        = "call.ended"
	ScriptLoaded     = "script.loaded"
	ScriptFailed     = "script.failed"   // the old scripts stay
	ScriptBenched    = "script.benched"  // it erred too often; the last good one is live
	ScriptDeployed   = "script.deployed" // as a canary or shadow
	ScriptPromoted   = "script.promoted"
	ScriptRolledBack = "script.rolled_back"
	ScriptCompared   = "script.compared" // the end of a shadow that was not promoted
	ConfigLoaded     = "config.loaded"
	ConfigFailed     = "config.failed" // the old configuration stays
	DrainBegan       = "drain.began"
	Missed           = "missed" // events that this client did not get, of any type
)

// eventTypes are those that a client may ask for. Whoever makes a new one adds
// it here, and calls Feed.Tell or b2bua's report.
func eventTypes() []string {
	return []string{
		CallStarted, CallAnswered, CallEnded,
		string(b2bua.TrunkUp), string(b2bua.TrunkDown), string(b2bua.TrunkEnabled), string(b2bua.TrunkDisabled),
		string(b2bua.TargetUp), string(b2bua.TargetDown),
		string(b2bua.RegistrationUp), string(b2bua.RegistrationFailed), string(b2bua.RegistrationDown),
		string(b2bua.SourceBanned), string(b2bua.SourceUnbanned),
		ScriptLoaded, ScriptFailed, ScriptBenched, ScriptDeployed, ScriptPromoted, ScriptRolledBack, ScriptCompared, ConfigLoaded, ConfigFailed, DrainBegan,
	}
}

// Event is one thing that happened, as GET events tells it.
type Event struct {
	ID          string    `json:"id"` // of this event; the feed gives it
	Type        string    `json:"type"`
	At          time.Time `json:"at"`
	Call        string    `json:"call,omitempty"`
	From        string    `json:"from,omitempty"`
	To          string    `json:"to,omitempty"`
	Source      string    `json:"source,omitempty"` // who a call comes from, ip:port; or who is banned
	Trunk       string    `json:"trunk,omitempty"`  // of a call: that it came from
	Target      string    `json:"target,omitempty"`
	TargetTrunk string    `json:"target_trunk,omitempty"` // that a call went to
	Code        int       `json:"code,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	HungUpBy    string    `json:"hung_up_by,omitempty"`
	Duration    float64   `json:"duration_seconds,omitempty"`
	Text        string    `json:"text,omitempty"`  // one line for people
	Count       uint64    `json:"count,omitempty"` // of missed
}

// Bounds of a feed.
const (
	feedSize   = 2048
	maxReaders = 32
	maxText    = 500 // bytes of one field
)

// Feed is the observer behind GET events. It keeps the last events, and every
// client reads them at its own pace: a ring is the queue of all, and who falls
// further behind than it reaches is told how many events it has missed. Telling
// costs a lock and a copy, whoever listens.
type Feed struct {
	process string // its events have ids that begin with this

	mu      sync.Mutex // guards all below
	ring    []Event    // number n is at n % feedSize
	next    uint64     // number of the next event
	readers map[*reader]struct{}
	closed  bool
}

// NewFeed makes a feed that nothing has happened in.
func NewFeed() *Feed {
	return &Feed{process: strings.ToLower(rand.Text()[:8]), readers: make(map[*reader]struct{})}
}

// Observe takes an event of the engine.
func (f *Feed) Observe(ev b2bua.Event) {
	switch ev.Kind {
	case b2bua.EventBegan, b2bua.EventAnswered, b2bua.EventEnded:
		if ev.Record != nil {
			f.Tell(ofCall(ev))
		}
	case b2bua.EventChanged:
		f.Tell(Event{Type: string(ev.Change), At: ev.At, Trunk: ev.Leg.Trunk, Target: ev.Leg.Target, Source: ev.Leg.Remote, Text: ev.Text})
	}
}

// ofCall is what is worth telling of a call.
func ofCall(ev b2bua.Event) Event {
	r := ev.Record
	e := Event{Type: CallStarted, At: ev.At, Call: r.ID, From: bound(r.From), To: bound(r.To), Source: r.Source, Trunk: r.Trunk}
	if ev.Kind == b2bua.EventBegan {
		return e
	}
	e.Type, e.Target, e.TargetTrunk, e.Code, e.Reason = CallAnswered, bound(r.Target), r.TargetTrunk, r.Code, bound(r.Reason)
	if ev.Kind == b2bua.EventEnded {
		e.Type, e.HungUpBy, e.Duration = CallEnded, r.HungUpBy, r.Duration
	}
	return e
}

// bound copies a text, so that the message it comes from is let go, up to a
// length.
func bound(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return strings.Clone(s)
}

// Tell adds an event; its ID is set here, and At when it is zero. It never
// waits for a client.
func (f *Feed) Tell(e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.Text = bound(e.Text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ring) < feedSize {
		f.ring = append(f.ring, e)
	} else {
		f.ring[f.next%feedSize] = e
	}
	f.next++
	for r := range f.readers {
		r.rouse()
	}
}

// Close ends what all clients read; it may be called twice.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for r := range f.readers {
		r.rouse()
	}
}

// reader is how far one client has come.
type reader struct {
	feed *Feed
	next uint64        // number of the event it gets next
	wake chan struct{} // holds a word that there is something to take
}

var errManyReaders = errors.New("too many clients follow the events")

// open begins behind the event of an id, with what is left of the events since
// then; an id of another process, which has told none of ours, with all that
// there are. "" is from now on.
func (f *Feed) open(behind string) (*reader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.readers) >= maxReaders {
		return nil, errManyReaders
	}
	r := &reader{feed: f, next: f.next, wake: make(chan struct{}, 1)}
	process, number, _ := strings.Cut(behind, "-")
	if n, err := strconv.ParseUint(number, 10, 64); err == nil && process == f.process {
		r.next = min(n+1, f.next)
	} else if behind != "" {
		r.next = f.next - uint64(len(f.ring))
	}
	r.rouse()
	f.readers[r] = struct{}{}
	return r, nil
}

// close ends reading.
func (r *reader) close() {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	delete(r.feed.readers, r)
}

func (r *reader) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take fills a batch with the next events, and says how many were lost before
// them. open is false when nothing will follow.
func (r *reader) take(batch []Event) (n int, missed uint64, open bool) {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if oldest := f.next - uint64(len(f.ring)); r.next < oldest {
		missed, r.next = oldest-r.next, oldest
	}
	for n < len(batch) && r.next < f.next {
		batch[n] = f.ring[r.next%feedSize]
		batch[n].ID = f.process + "-" + strconv.FormatUint(r.next, 10)
		n++
		r.next++
	}
	if r.next < f.next {
		r.rouse()
	}
	return n, missed, !f.closed || r.next < f.next
}
