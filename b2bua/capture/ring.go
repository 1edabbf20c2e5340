// Package capture remembers the last calls, and tells and draws them: which
// messages came and left on both legs, what scripts decided and wrote between
// them, what they asked, and what time, limits and failures did. Of each message
// that left it knows where every header field came from.
//
// It is an observer that keeps the bytes of messages as they came, so that a
// call costs it hardly more than their memory; everything else is computed when
// somebody asks. It knows no files and sends nothing.
//
// Start with Ring (what is kept), then Story (what is told of it); text is
// drawn in ladder.go, a page in html.go, and origin.go finds out where fields
// come from.
package capture

import (
	"bytes"
	"container/list"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// Bounds of what one call may take.
const (
	maxSteps  = 200
	headSteps = 150 // kept from the beginning; the rest from the end
	maxLegs   = 32
	maxText   = 300       // bytes of one line
	maxBytes  = 16 << 10  // of one message
	maxCall   = 128 << 10 // bytes of all messages
	maxEdits  = 40        // of one hook
	maxInto   = 16        // messages with edits that have not left
	maxAll    = 64 << 20  // bytes of all messages of all calls
	maxFields = 8 << 10   // bytes, roughly, of a record's fields
)

// Ring keeps the last calls. Finished ones go first, oldest first; when more
// calls are in progress than it holds, the oldest of them go as well.
type Ring struct {
	size    int
	tracing atomic.Int32 // len(traces)

	mu       sync.Mutex // guards all below
	bytes    int        // of messages
	stories  map[string]*story
	active   *list.List // of *story, oldest first
	finished *list.List
	matching *list.List // in progress, and wanted by a trace
	traces   []*Trace
}

// story is one call. Steps behind headSteps are a ring of their own.
type story struct {
	id       string
	started  time.Time
	from, to string
	parties  []Party // by leg index, 0 is the caller
	local    string  // our side as the caller sees it
	steps    []step
	seen     int // steps that happened
	record   *b2bua.Record
	bytes    int // of messages
	place    *list.Element
	matches  []match // with the traces that ran when it began
	matched  bool    // it is in matching
}

// step is one row of a ladder. Most are messages, so the rest is apart.
type step struct {
	n      int32
	link   int32         // of a message: its source; of edits: the message they went into
	after  time.Duration // since the call began
	method string
	text   string         // reason phrase, decision or note
	bytes  []byte         // of a message
	rules  *trunk.Headers // of a message: what was to cross
	inside *inside        // nil: it is a message
	code   int16          // 0: a request
	kind   b2bua.Kind
	leg    int8
	sdp    bool
	cut    bool // bytes are only the beginning
}

// inside is what happened between messages.
type inside struct {
	hook     string
	where    string
	took     time.Duration
	decision b2bua.Decision // nil: the default

	of     int32            // of edits: the message that came from which theirs was made
	into   *message.Message // of edits, until it has left
	before []byte           // of edits: the message without them; nil: it is too long
	edits  []b2bua.Edit
}

// Summary is one call of the ring.
type Summary struct {
	ID       string
	Started  time.Time
	From, To string // URIs
	Ended    bool
	Code     int // final code the caller got; 0: none yet
}

// New makes a ring of that many calls; 0 keeps none.
func New(size int) *Ring {
	return &Ring{size: size, stories: make(map[string]*story), active: list.New(), finished: list.New(), matching: list.New()}
}

// Watching implements b2bua.Watcher.
func (r *Ring) Watching() bool { return r.size > 0 || r.tracing.Load() > 0 }

// Observe takes one event; it never waits for anything but its own lock.
func (r *Ring) Observe(ev b2bua.Event) {
	if !r.Watching() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ev.Kind == b2bua.EventBegan {
		r.begin(ev)
		return
	}
	s := r.stories[ev.Call]
	if s == nil {
		return
	}
	if ev.Kind == b2bua.EventEnded {
		r.end(s, ev.Record)
		return
	}
	r.bytes += s.add(&ev)
	r.shows(s, &ev)
	for r.bytes > maxAll && r.finished.Len()+r.active.Len() > 1 {
		r.evict()
	}
}

func (r *Ring) begin(ev b2bua.Event) {
	if r.stories[ev.Call] != nil {
		return
	}
	for r.active.Len()+r.finished.Len() >= r.room() {
		r.evict()
	}
	s := &story{id: ev.Call, started: ev.At, local: ev.Leg.Local, steps: make([]step, 0, 16)}
	if m := ev.Message; m != nil {
		s.from, s.to = clip(message.MaskURI(message.URIOf(m.Get("From")))), clip(message.MaskURI(m.URI))
	}
	s.meet(ev.Leg)
	s.place = r.active.PushBack(s)
	r.stories[ev.Call] = s
	for _, t := range r.traces {
		s.matches = append(s.matches, t.begin())
	}
	if ev.Message != nil {
		r.shows(s, &ev)
	}
}

// room is how many calls there may be besides those that match a trace.
func (r *Ring) room() int {
	if r.size > 0 {
		return r.size
	}
	return maxUnsure + maxAfter
}

// evict forgets the oldest finished call, or the oldest at all.
func (r *Ring) evict() {
	from := r.finished
	if from.Len() == 0 {
		from = r.active
	}
	r.forget(from)
}

// forget forgets the oldest call of a list.
func (r *Ring) forget(from *list.List) {
	if s, ok := from.Front().Value.(*story); ok {
		r.drop(from, s)
	}
}

func (r *Ring) drop(from *list.List, s *story) {
	from.Remove(s.place)
	r.bytes -= s.bytes
	delete(r.stories, s.id)
}

func (r *Ring) end(s *story, record *b2bua.Record) {
	if s.record != nil || record == nil {
		return
	}
	s.record = bounded(record)
	for i := range s.steps {
		if one := s.steps[i].inside; one != nil {
			one.into = nil
		}
	}
	from := r.active
	if s.matched {
		from = r.matching
	}
	if !r.deliver(s) {
		r.drop(from, s)
		return
	}
	from.Remove(s.place)
	s.place = r.finished.PushBack(s)
	if r.size <= 0 && r.finished.Len() > maxAfter {
		r.evict()
	}
}

// Calls lists the calls of the ring, the newest first.
func (r *Ring) Calls() []Summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := make([]Summary, 0, len(r.stories))
	for _, l := range []*list.List{r.active, r.matching, r.finished} {
		for e := l.Back(); e != nil; e = e.Prev() {
			if s, ok := e.Value.(*story); ok {
				calls = append(calls, s.summary())
			}
		}
	}
	sortNewest(calls)
	return calls
}

// Record returns the record of a finished call that is still in the ring. It
// is read only.
func (r *Ring) Record(id string) (*b2bua.Record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.stories[id]; s != nil && s.record != nil {
		return s.record, true
	}
	return nil, false
}

func (s *story) summary() Summary {
	sum := Summary{ID: s.id, Started: s.started, From: s.from, To: s.to}
	if s.record != nil {
		sum.Ended, sum.Code = true, s.record.Code
	}
	return sum
}

// meet notes who is on a leg.
func (s *story) meet(l b2bua.Leg) {
	if l.Index < 0 || l.Index >= maxLegs {
		return
	}
	for len(s.parties) <= l.Index {
		s.parties = append(s.parties, Party{})
	}
	if s.parties[l.Index].Remote == "" {
		s.parties[l.Index] = Party{Trunk: l.Trunk, Remote: l.Remote}
	}
}

// add takes what happened, and gives the bytes that are kept of it.
func (s *story) add(ev *b2bua.Event) int {
	if kindOf(ev.Kind) == "" {
		return 0
	}
	st := step{n: int32(s.seen + 1), after: ev.At.Sub(s.started), kind: ev.Kind, leg: int8(min(max(ev.Leg.Index, 0), maxLegs-1))}
	switch ev.Kind {
	case b2bua.EventReceived, b2bua.EventSent:
		if ev.Message == nil {
			return 0
		}
		s.meet(ev.Leg)
		s.carry(&st, ev)
	case b2bua.EventEdited:
		if ev.Edits == nil || len(ev.Edits.List) == 0 {
			return 0
		}
		st.inside = &inside{hook: clip(ev.Hook), edits: boundedEdits(ev.Edits.List)}
		s.hold(st.inside, ev.Edits)
	default:
		st.text = clip(message.Mask(ev.Text))
		st.inside = &inside{hook: clip(ev.Hook), where: clip(ev.Where), took: ev.Took, decision: ev.Decision}
	}
	grown := st.size()
	if len(s.steps) < maxSteps {
		s.steps = append(s.steps, st)
	} else {
		at := &s.steps[headSteps+(s.seen-headSteps)%(maxSteps-headSteps)]
		grown -= at.size()
		*at = st
	}
	s.seen++
	s.bytes += grown
	return grown
}

// size is what counts against the bounds.
func (st *step) size() int {
	if st.inside != nil {
		return len(st.inside.before)
	}
	return len(st.bytes)
}

// hold notes which message edits went into, and what it was before: as bytes of
// its own, because a message holds those of whatever it was made of.
func (s *story) hold(in *inside, e *b2bua.Edits) {
	if in.into = e.Into; in.into != nil {
		in.of = s.cameAs(in.into.Raw)
		s.letGo(maxInto - 1)
	}
	if e.Before == nil {
		return
	}
	if b := e.Before.Bytes(); len(b) <= maxBytes && s.bytes+len(b) <= maxCall {
		in.before = b
	}
}

// letGo forgets all but so many of the messages that have not left, the oldest
// first: a hook that keeps its message back may do so again and again.
func (s *story) letGo(most int) {
	open := 0
	for _, st := range slices.Backward(s.steps) {
		if st.inside == nil || st.inside.into == nil {
			continue
		}
		if open++; open > most {
			st.inside.into = nil
		}
	}
}

// carry notes a message, and which edits went into it.
func (s *story) carry(st *step, ev *b2bua.Event) {
	m := ev.Message
	st.method, st.code, st.text = known(m.Method), int16(min(m.Status, 999)), phrase(m.Status, m.Reason)
	st.sdp = len(m.Body) > 0 && strings.Contains(m.Get("Content-Type"), "sdp")
	st.bytes, st.rules = ev.Wire(), ev.Rules
	if ev.Kind == b2bua.EventSent {
		st.link = s.cameAs(m.Raw)
		for i := range s.steps {
			if one := &s.steps[i]; one.inside != nil && one.inside.into == m {
				one.inside.into, one.link = nil, st.n
			}
		}
	}
	switch {
	case s.bytes+min(len(st.bytes), maxBytes) > maxCall:
		st.bytes, st.cut = nil, true
	case len(st.bytes) > maxBytes:
		st.bytes, st.cut = bytes.Clone(st.bytes[:maxBytes]), true
	}
}

// cameAs is the number of the step in which these bytes came; 0: none.
func (s *story) cameAs(raw []byte) int32 {
	if len(raw) == 0 {
		return 0
	}
	for i := range s.steps {
		if st := &s.steps[i]; st.kind == b2bua.EventReceived && len(st.bytes) > 0 && &st.bytes[0] == &raw[0] {
			return st.n
		}
	}
	return 0
}

// story copies what the ladder of a call needs.
func (r *Ring) story(id string) (story, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stories[id]
	if s == nil {
		return story{}, false
	}
	return s.copied(), true
}

// copied is what stays as it is while the call goes on.
func (s *story) copied() story {
	c := *s
	c.matches = nil
	c.parties = append([]Party(nil), s.parties...)
	c.steps = append([]step(nil), s.steps...) // what they hold does not change
	if s.seen > maxSteps {                    // oldest of the end first
		tail := s.steps[headSteps:]
		at := (s.seen - headSteps) % len(tail)
		c.steps = append(append(c.steps[:headSteps], tail[at:]...), tail[:at]...)
	}
	return c
}
