package trunk

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons for which a trunk takes no further call; the caller gets 503.
var (
	ErrCalls = errors.New("trunk has its most calls at once")
	ErrRate  = errors.New("trunk has its most calls a second")
	ErrOff   = errors.New("trunk is disabled")
)

// States keeps what changes about trunks: one State by name, for the life of
// the process, whatever the configuration does meanwhile.
type States struct {
	// Rests is told of each trunk that is penalized; nil: nobody is. It is set before
	// the first State is asked for.
	Rests func(name string)

	mu     sync.Mutex // guards all below
	byName map[string]*State
	table  *Table // followed last
}

// NewStates has no trunk yet.
func NewStates() *States { return &States{byName: make(map[string]*State), table: &Table{}} }

// Of returns the state of a trunk, made when it is first asked for. Calls and
// timers may ask for one that is gone: nobody is told of that, and the next Follow
// forgets it.
func (s *States) Of(name string) *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byName[name]
	if one == nil {
		one = &State{name: name, rests: s.Rests}
		s.byName[name] = one
	}
	return one
}

// Follow takes over the limits of a new table and forgets the trunks that are
// gone. Calls that still hold a forgotten State go on counting in it.
func (s *States) Follow(t *Table) {
	for _, name := range t.Names() {
		s.Of(name).follow(t.Get(name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = t
	maps.DeleteFunc(s.byName, func(name string, _ *State) bool { return t.Get(name) == nil })
}

// Stats lists the trunks of the table by name.
func (s *States) Stats() []Stats {
	s.mu.Lock()
	names := s.table.Names()
	s.mu.Unlock()
	stats := make([]Stats, 0, len(names))
	for _, name := range names {
		stats = append(stats, s.Of(name).Stats())
	}
	return stats
}

// State is what calls share about one trunk. All methods may be used from any
// goroutine and do not wait.
type State struct {
	name                       string
	rests                      func(name string)
	attempts, answered, failed atomic.Uint64

	mu       sync.Mutex // guards all below
	limits   Limits
	calls    int
	tokens   float64              // of the rate limit, as of refilled
	refilled time.Time            // zero: full
	until    time.Time            // penalized so long
	targets  map[string]time.Time // at rest so long
	watched  bool                 // somebody waits for the end of penalties and rests

	registration *Registration // nil: none is wanted

	off    bool              // by an operator
	health *Health           // nil: not counted
	dead   bool              // no target is alive, as Turned has told
	pulses map[string]*pulse // by target, while it is
	order  []string          // the targets as configured
}

// Stats is a State at one moment.
type Stats struct {
	Name     string
	Up       bool
	Off      bool      // disabled by an operator
	Until    time.Time // when a penalty ends; zero: none
	Calls    int       // in progress, both directions
	Limits   Limits
	Attempts uint64 // INVITEs sent to it
	Answered uint64
	Failed   uint64

	Registration *Registration // nil: none is wanted; read only
	Targets      []TargetStats // those whose health is counted, or that rest
}

// Admit counts a call in, or says why the trunk takes none. Each nil wants one
// Release.
func (s *State) Admit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.off {
		return ErrOff
	}
	if s.limits.Calls > 0 && s.calls >= s.limits.Calls {
		return ErrCalls
	}
	if !s.take() {
		return ErrRate
	}
	s.calls++
	return nil
}

// Enable lets the trunk take calls again, or no new ones from now on, whatever a
// reload says; false: nothing has changed.
func (s *State) Enable(on bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.off == on
	s.off = !on
	return changed
}

// Release counts an admitted call out.
func (s *State) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = max(s.calls-1, 0)
}

// Calls is how many are in progress, in both directions.
func (s *State) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// take draws from the bucket of the rate limit: one second's worth, and never
// less than one call.
func (s *State) take() bool {
	rate := s.limits.CPS
	if rate <= 0 {
		return true
	}
	burst, now := max(rate, 1), time.Now()
	if s.refilled.IsZero() {
		s.tokens = burst
	} else {
		s.tokens = min(s.tokens+rate*now.Sub(s.refilled).Seconds(), burst)
	}
	s.refilled = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

func (s *State) follow(t *Trunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch(t)
	l := t.Limits
	if l.CPS != s.limits.CPS {
		s.refilled = time.Time{}
	}
	s.limits = l
}

// Attempted, Answered and Failed count the INVITEs sent to the trunk and how
// they ended.
func (s *State) Attempted() { s.attempts.Add(1) }

// Answered counts a 2xx.
func (s *State) Answered() { s.answered.Add(1) }

// Failed counts an attempt that ended without one.
func (s *State) Failed() { s.failed.Add(1) }

// Up tells whether it is enabled, no penalty is running and a target is alive.
func (s *State) Up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up()
}

func (s *State) up() bool {
	now := time.Now()
	return !s.off && !now.Before(s.until) && s.reachable(now)
}

// Stats is the state now.
func (s *State) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{
		Name: s.name, Up: s.up(), Off: s.off, Calls: s.calls, Limits: s.limits,
		Attempts: s.attempts.Load(), Answered: s.answered.Load(), Failed: s.failed.Load(),
		Registration: s.registration, Targets: s.pulsesNow(),
	}
	if time.Now().Before(s.until) {
		stats.Until = s.until
	}
	return stats
}
