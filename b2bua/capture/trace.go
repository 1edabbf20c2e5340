package capture

import (
	"context"
	"errors"
	"slices"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/number"
)

// Bounds of traces.
const (
	maxTraces  = 8
	maxTraced  = 1000 // calls in progress that match
	maxWaiting = 200  // stories that nobody has fetched
	maxUnsure  = 5000 // calls in progress without a ring, of which none knows yet whether they will match
	maxAfter   = 100  // matching calls that are over, without a ring
)

// ErrTraces says that no more traces may run at once.
var ErrTraces = errors.New("too many traces run")

// Filter says which calls a trace is about: those that fit all of it. Empty
// fields fit every call.
type Filter struct {
	Number string // the user of who calls or is called; see number.Sought
	Trunk  string // that the call came from, or went to
}

// Trace keeps the calls that match, with all that is told of them, also while
// the ring is off. End ends it.
type Trace struct {
	ring   *Ring
	filter Filter
	over   chan story
}

// match is how far a call fits a trace.
type match struct {
	trace         *Trace
	number, trunk bool
}

func (m *match) fits() bool { return m.number && m.trunk }

// Trace begins a trace. Calls in progress that the ring knows may match too.
func (r *Ring) Trace(f Filter) (*Trace, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.traces) >= maxTraces {
		return nil, ErrTraces
	}
	t := &Trace{ring: r, filter: f, over: make(chan story, maxWaiting)}
	r.traces = append(r.traces, t)
	r.tracing.Store(int32(len(r.traces)))
	for _, s := range r.stories {
		if s.record != nil {
			continue
		}
		s.matches = append(s.matches, t.begin())
		r.consider(s, "", s.from, s.to)
		for i := range s.parties {
			r.consider(s, s.parties[i].Trunk)
		}
	}
	return t, nil
}

func (t *Trace) begin() match {
	return match{trace: t, number: t.filter.Number == "", trunk: t.filter.Trunk == ""}
}

// goodbyes is how long what ends a call may be on its way when its record is
// closed: the answers to BYE and CANCEL, ACKs, and each of them once more.
const goodbyes = time.Second

// Next waits for a call that matched and is over, and for its goodbyes. False:
// ctx has ended.
func (t *Trace) Next(ctx context.Context, mask Mask) (*Story, bool) {
	select {
	case <-ctx.Done():
		return nil, false
	case k := <-t.over:
		said := time.NewTimer(time.Until(k.record.Ended.Add(goodbyes)))
		defer said.Stop()
		select {
		case <-said.C:
		case <-ctx.Done():
		}
		return t.whole(&k, mask), true
	}
}

// whole tells a call that is over with what has come since, if the ring still
// knows it.
func (t *Trace) whole(k *story, mask Mask) *Story {
	if now, ok := t.ring.story(k.id); ok {
		return now.tell(mask)
	}
	return k.tell(mask)
}

// End ends the trace and gives the calls that match and were not fetched, those in
// progress last.
func (t *Trace) End(mask Mask) []*Story {
	r := t.ring
	r.mu.Lock()
	var open []story
	for _, s := range r.stories {
		i := slices.IndexFunc(s.matches, func(m match) bool { return m.trace == t })
		if i < 0 {
			continue
		}
		if s.matches[i].fits() && s.record == nil {
			open = append(open, s.copied())
		}
		s.matches = slices.Delete(s.matches, i, i+1)
		if s.record == nil {
			r.demote(s)
		}
	}
	r.traces = slices.DeleteFunc(r.traces, func(one *Trace) bool { return one == t })
	r.tracing.Store(int32(len(r.traces)))
	r.mu.Unlock()
	slices.SortFunc(open, func(a, b story) int { return a.started.Compare(b.started) })
	stories := make([]*Story, 0, len(t.over)+len(open))
	for len(t.over) > 0 {
		k := <-t.over
		stories = append(stories, t.whole(&k, mask))
	}
	for i := range open {
		stories = append(stories, open[i].tell(mask))
	}
	return stories
}

// consider looks at what a call has shown of itself; r.mu is held.
func (r *Ring) consider(s *story, trunk string, uris ...string) {
	for i := range s.matches {
		m := &s.matches[i]
		m.trunk = m.trunk || trunk == m.trace.filter.Trunk
		for _, uri := range uris {
			m.number = m.number || uri != "" && isNumber(uri, m.trace.filter.Number)
		}
	}
	if !s.matched && slices.ContainsFunc(s.matches, func(m match) bool { return m.fits() }) {
		s.matched = true
		r.active.Remove(s.place)
		s.place = r.matching.PushBack(s)
		if r.matching.Len() > maxTraced {
			r.forget(r.matching)
		}
	}
}

// demote puts a call that no trace wants any more back among the others, or
// forgets it; r.mu is held.
func (r *Ring) demote(s *story) {
	if slices.ContainsFunc(s.matches, func(m match) bool { return m.fits() }) {
		return
	}
	if s.matched {
		s.matched = false
		r.matching.Remove(s.place)
		s.place = r.active.PushBack(s)
	}
	if r.size <= 0 && len(s.matches) == 0 {
		r.drop(r.active, s)
	}
}

// deliver gives a call that is over to the traces that it fits, and tells
// whether it stays; r.mu is held.
func (r *Ring) deliver(s *story) bool {
	var k story
	for i := range s.matches {
		m := &s.matches[i]
		if !m.fits() {
			continue
		}
		if k.id == "" {
			k = s.copied()
		}
		select {
		case m.trace.over <- k:
		default: // nobody fetches them
		}
	}
	s.matches = nil
	return k.id != "" || r.size > 0
}

// shows gives the traces what an event tells of who calls whom; r.mu is held.
func (r *Ring) shows(s *story, ev *b2bua.Event) {
	if len(s.matches) == 0 || ev.Message == nil || ev.Message.Method != "INVITE" || !ev.Message.IsRequest() {
		return
	}
	m := ev.Message
	uris := []string{m.URI}
	for _, name := range [...]string{"From", "To", "P-Asserted-Identity", "Remote-Party-ID", "Diversion"} {
		if value, ok := m.Lookup(name); ok {
			uris = append(uris, message.URIOf(value))
		}
	}
	r.consider(s, ev.Leg.Trunk, uris...)
}

// isNumber tells whether a URI's user is the one that a trace is about.
func isNumber(uri, wanted string) bool {
	u, err := message.ParseURI(uri)
	return err == nil && number.Sought(u.User, wanted)
}
