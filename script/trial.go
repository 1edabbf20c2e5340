package script

import (
	"hash/fnv"
	"math"
	"slices"
	"sync"
	"time"

	"legwork/b2bua"
)

// trial is a generation that a share of the new calls begins with, beside the
// live one. All but its calls is fixed; Policy.trial holds the only one.
type trial struct {
	plan  Plan
	gen   *generation
	live  *generation
	began time.Time
	clock *time.Timer // judges, or ends a shadow; nil: nothing does

	shadow *shadow // nil: gen is a canary

	mu    sync.Mutex // guards all below
	calls map[string]*outcome
	sides [2]side // of the live generation and of the canary
}

const (
	ofLive = iota
	ofCanary
)

// side is what is counted about the calls that began with one generation since
// the trial did. trial.mu guards it.
type side struct {
	begun, erring, rejected, settled, answered int

	delays []float64 // seconds until it rang, the last of them
	next   int
}

// maxDelays bounds the delays that medians are taken of, maxWatched the calls
// that are followed at once: others only run.
const (
	maxDelays  = 2000
	maxWatched = 50_000
)

// outcome is one call of a trial; trial.mu guards it.
type outcome struct {
	of    *trial
	id    string
	which int
	began time.Time
	erred bool
	rang  bool
}

// opener is a handle that tells how its call begins; the engine's do.
type opener interface{ Opening() b2bua.Opening }

// choose tells whose a new call is; out is nil where nothing is counted.
func (t *trial) choose(handle b2bua.Handle) (g *generation, out *outcome) {
	o, ok := handle.(opener)
	if !ok {
		return t.live, nil
	}
	opening := o.Opening()
	g, which := t.live, ofLive
	if t.picks(opening) {
		g, which = t.gen, ofCanary
	}
	if !opening.Call {
		return g, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.calls) >= maxWatched {
		return g, nil
	}
	out = &outcome{of: t, id: opening.ID, which: which, began: time.Now()}
	t.calls[out.id] = out
	t.sides[which].begun++
	return g, out
}

// picks takes the share of callers or trunks that the plan says: always the
// same ones in one trial, and others in the next.
func (t *trial) picks(o b2bua.Opening) bool {
	key := o.Caller
	if t.plan.By == ByTrunk {
		key = o.Trunk
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.gen.name + " " + key))
	mixed := h.Sum64() // the high bits of FNV hardly move with the last characters
	mixed ^= mixed >> 33
	mixed *= 0xff51afd7ed558ccd
	mixed ^= mixed >> 33
	return float64(mixed>>11)/(1<<53) < t.plan.Share
}

// failed counts a call of which a hook has failed; o may be nil.
func (o *outcome) failed() {
	if o == nil {
		return
	}
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	if !o.erred {
		o.erred = true
		o.of.sides[o.which].erring++
	}
}

// decided counts a call that the script rejects; o may be nil.
func (o *outcome) decided(d b2bua.Decision) {
	if o == nil {
		return
	}
	if _, ok := d.(b2bua.Reject); ok {
		o.of.mu.Lock()
		defer o.of.mu.Unlock()
		o.of.sides[o.which].rejected++
	}
}

// closed takes that nobody asks for a call any more. One that is not settled by
// then never was one: its INVITE had come twice. o may be nil.
func (o *outcome) closed() {
	if o == nil {
		return
	}
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	if o.of.calls[o.id] == o {
		delete(o.of.calls, o.id)
		o.of.sides[o.which].begun--
	}
}

// observe takes what happens to the calls.
func (t *trial) observe(ev *b2bua.Event) {
	m := ev.Message
	rings := ev.Kind == b2bua.EventSent && ev.Leg.Role == b2bua.RoleA && m != nil && m.Status > 100 && m.Status < 200
	if !rings && ev.Kind != b2bua.EventAnswered && ev.Kind != b2bua.EventEnded {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.calls[ev.Call]
	if o == nil {
		return
	}
	s := &t.sides[o.which]
	if ev.Kind != b2bua.EventEnded && !o.rang {
		o.rang = true
		s.delay(ev.At.Sub(o.began).Seconds())
	}
	if rings {
		return
	}
	delete(t.calls, ev.Call)
	s.settled++
	if ev.Kind == b2bua.EventAnswered {
		s.answered++
	}
}

func (s *side) delay(seconds float64) {
	if len(s.delays) < maxDelays {
		s.delays = append(s.delays, seconds)
		return
	}
	s.delays[s.next] = seconds
	s.next = (s.next + 1) % maxDelays
}

// Tally is what is counted of one side of a trial.
type Tally struct {
	Begun    int     `json:"begun"`
	Erring   int     `json:"erring"`   // calls of which a hook has failed
	Rejected int     `json:"rejected"` // by the script
	Settled  int     `json:"settled"`  // answered, or over
	Answered int     `json:"answered"`
	Rang     int     `json:"rang"`                 // delays that the median is of
	Delay    float64 `json:"median_delay_seconds"` // from INVITE to ringing or answer
	low      float64 // the median is hardly lower
	high     float64 // or higher
}

// tally counts a side; trial.mu is held.
func (s *side) tally() Tally {
	t := Tally{Begun: s.begun, Erring: s.erring, Rejected: s.rejected, Settled: s.settled, Answered: s.answered, Rang: len(s.delays)}
	if n := len(s.delays); n > 0 {
		sorted := slices.Sorted(slices.Values(s.delays))
		off := confidence * math.Sqrt(float64(n)) / 2
		at := func(i float64) float64 { return sorted[max(0, min(n-1, int(i)))] }
		t.Delay, t.low, t.high = sorted[n/2], at(math.Floor(float64(n)/2-off)), at(math.Ceil(float64(n)/2+off))
	}
	return t
}

func (t *trial) tallies() (live, canary Tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sides[ofLive].tally(), t.sides[ofCanary].tally()
}
