// Package capture remembers the last calls and draws them as ladders. It is an
// observer that keeps what a ladder shows, start lines and decisions, and not
// the messages: a call takes about two kilobytes, whatever it carries.
//
// It knows no files and sends nothing. Start with Ring; the drawing begins in
// ladder.go.
package capture

import (
	"container/list"
	"strings"
	"sync"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// Bounds of what one call may take.
const (
	maxSteps  = 200
	headSteps = 150 // kept from the beginning; the rest from the end
	maxLegs   = 32
	maxText   = 300     // bytes of one line
	maxFields = 8 << 10 // bytes, roughly, of a record's fields
)

// Ring keeps the last calls. Finished ones go first, oldest first; when more
// calls are in progress than it holds, the oldest of them go as well.
type Ring struct {
	size int

	mu       sync.Mutex // guards all below
	stories  map[string]*story
	active   *list.List // of *story, oldest first
	finished *list.List
}

// story is one call. Steps behind headSteps are a ring of their own.
type story struct {
	id       string
	started  time.Time
	from, to string
	parties  []party // by leg index, 0 is the caller
	local    string  // our side as the caller sees it
	steps    []step
	seen     int // steps that happened
	record   *b2bua.Record
	place    *list.Element
}

// party is who is at the far end of a leg.
type party struct{ trunk, remote string }

// step is one row of a ladder.
type step struct {
	after  time.Duration // since the call began
	kind   b2bua.Kind
	leg    int
	method string
	code   int    // 0: a request
	text   string // reason phrase, decision or note
	hook   string
	where  string
	sdp    bool
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
	return &Ring{size: size, stories: make(map[string]*story), active: list.New(), finished: list.New()}
}

// Observe takes one event; it never waits for anything but its own lock.
func (r *Ring) Observe(ev b2bua.Event) {
	if r.size <= 0 {
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
	s.add(ev)
}

func (r *Ring) begin(ev b2bua.Event) {
	if r.stories[ev.Call] != nil {
		return
	}
	for len(r.stories) >= r.size {
		r.evict()
	}
	s := &story{id: ev.Call, started: ev.At, local: ev.Leg.Local, steps: make([]step, 0, 16)}
	if m := ev.Message; m != nil {
		s.from, s.to = clip(message.MaskURI(message.URIOf(m.Get("From")))), clip(message.MaskURI(m.URI))
	}
	s.meet(ev.Leg)
	s.place = r.active.PushBack(s)
	r.stories[ev.Call] = s
}

// evict forgets the oldest finished call, or the oldest at all.
func (r *Ring) evict() {
	from := r.finished
	if from.Len() == 0 {
		from = r.active
	}
	if s, ok := from.Remove(from.Front()).(*story); ok {
		delete(r.stories, s.id)
	}
}

func (r *Ring) end(s *story, record *b2bua.Record) {
	if s.record != nil || record == nil {
		return
	}
	s.record = bounded(record)
	r.active.Remove(s.place)
	s.place = r.finished.PushBack(s)
}

// Calls lists the calls of the ring, the newest first.
func (r *Ring) Calls() []Summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := make([]Summary, 0, len(r.stories))
	for _, l := range []*list.List{r.active, r.finished} {
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
		s.parties = append(s.parties, party{})
	}
	if s.parties[l.Index].remote == "" {
		s.parties[l.Index] = party{trunk: l.Trunk, remote: l.Remote}
	}
}

func (s *story) add(ev b2bua.Event) {
	st := step{after: ev.At.Sub(s.started), kind: ev.Kind, leg: min(max(ev.Leg.Index, 0), maxLegs-1)}
	switch m := ev.Message; {
	case ev.Kind != b2bua.EventReceived && ev.Kind != b2bua.EventSent:
		st.text, st.hook, st.where = clip(message.Mask(ev.Text)), clip(ev.Hook), clip(ev.Where)
	case m == nil:
		return
	default:
		s.meet(ev.Leg)
		st.method, st.code, st.text = known(m.Method), m.Status, phrase(m.Status, m.Reason)
		st.sdp = len(m.Body) > 0 && strings.Contains(m.Get("Content-Type"), "sdp")
	}
	if len(s.steps) < maxSteps {
		s.steps = append(s.steps, st)
	} else {
		s.steps[headSteps+(s.seen-headSteps)%(maxSteps-headSteps)] = st
	}
	s.seen++
}

// story copies what the ladder of a call needs.
func (r *Ring) story(id string) (story, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stories[id]
	if s == nil {
		return story{}, false
	}
	c := *s
	c.parties = append([]party(nil), s.parties...)
	c.steps = append([]step(nil), s.steps...)
	if s.seen > maxSteps { // oldest of the end first
		tail := s.steps[headSteps:]
		at := (s.seen - headSteps) % len(tail)
		c.steps = append(append(c.steps[:headSteps], tail[at:]...), tail[:at]...)
	}
	return c, true
}
