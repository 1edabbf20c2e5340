package trunk

import (
	"maps"
	"strings"
	"time"
)

// Penalize keeps the trunk down until then, or longer if it already is.
func (s *State) Penalize(until time.Time) {
	s.mu.Lock()
	if until.After(s.until) {
		s.until = until
	}
	s.mu.Unlock()
	if s.rests != nil {
		s.rests(s.name)
	}
}

// maxPenalties bounds the targets of one trunk that are remembered as down.
const maxPenalties = 256

// PenalizeTarget keeps one target of the trunk down, as after a Retry-After. It is
// true when the target has not rested before. Rests is not told.
func (s *State) PenalizeTarget(uri string, until time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if len(s.targets) >= maxPenalties {
		maps.DeleteFunc(s.targets, func(_ string, t time.Time) bool { return !now.Before(t) })
	}
	if s.targets == nil {
		s.targets = make(map[string]time.Time)
	}
	rested := s.resting(uri, now)
	if len(s.targets) < maxPenalties && until.After(s.targets[uri]) {
		s.targets[strings.Clone(uri)] = until
	}
	return !rested
}

// Rest lets a target rest so long, or ends its rest: until is the zero time then.
// Rests is not told.
func (s *State) Rest(uri string, until time.Time) {
	s.mu.Lock()
	delete(s.targets, uri)
	s.mu.Unlock()
	if !until.IsZero() {
		s.PenalizeTarget(uri, until)
	}
}

// resting tells whether a target has asked for a rest that is not over; the caller
// holds the lock.
func (s *State) resting(uri string, now time.Time) bool {
	until, ok := s.targets[uri]
	return ok && now.Before(until)
}

// Down tells whether a target is down or penalized; it is what Pick wants to know.
func (s *State) Down(uri string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	return s.resting(uri, now) || s.sick(uri, now)
}

// Watch is true for whoever is to watch over the penalties and rests of now, with
// Rested, until none is left.
func (s *State) Watch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.watched
	s.watched = true
	return first
}

// Rested forgets the rests that are over. It lists their targets, those that are
// down all the same left out, and when the next rest or the trunk's own penalty
// ends; zero: there is none.
func (s *State) Rested() (up []string, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Before(s.until) {
		next = s.until
	}
	for uri, until := range s.targets {
		if now.Before(until) {
			if next.IsZero() || until.Before(next) {
				next = until
			}
			continue
		}
		delete(s.targets, uri)
		if p := s.pulses[uri]; p == nil || !p.down {
			up = append(up, uri)
		}
	}
	s.watched = !next.IsZero()
	return up, next
}
