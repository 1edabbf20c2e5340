package trunk

import (
	"slices"
	"time"
)

// Health says when a target of a trunk counts as down: after so many failures in
// a row, of calls and of probes alike, until as many answers in a row.
type Health struct {
	Options   time.Duration // between two probes of a target; 0: calls alone tell
	Timeout   time.Duration // for the answer to a probe
	DownAfter int
	UpAfter   int
}

// trialAfter is the rest of a target that is down before one call tries it,
// where no probe does.
const trialAfter = 30 * time.Second

// pulse is what is known of one target.
type pulse struct {
	down     bool
	failures int // in a row
	answers  int // in a row
	since    time.Time
	why      string    // of the last failure
	trial    time.Time // of one that is down: when a call may try it
}

// TargetStats is one target at one moment.
type TargetStats struct {
	URI   string
	Up    bool
	Since time.Time // zero: since the start
	Why   string    // it is down
	Until time.Time // when its rest ends; zero: none
}

// Heard counts an answer of a target, also one that refuses. It is true when the
// target has come up by it.
func (s *State) Heard(uri string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pulses[uri]
	if p == nil {
		return false
	}
	p.failures, p.answers = 0, p.answers+1
	if !p.down || p.answers < s.health.UpAfter {
		return false
	}
	*p = pulse{since: time.Now()}
	return true
}

// Missed counts that a target gave no answer, or has said that it can't serve. It
// is true when the target has gone down by it.
func (s *State) Missed(uri, why string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pulses[uri]
	if p == nil {
		return false
	}
	now := time.Now()
	p.failures, p.answers, p.why = p.failures+1, 0, why
	if p.down {
		p.trial = now.Add(trialAfter)
	}
	if p.down || p.failures < s.health.DownAfter {
		return false
	}
	p.down, p.since, p.trial = true, now, now.Add(trialAfter)
	return true
}

// Turned tells whether no penalty is running and a target is alive, as far as is
// known, and whether that is news since it was asked last.
func (s *State) Turned() (alive, news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	alive = len(s.order) == 0
	for _, uri := range s.order {
		p := s.pulses[uri]
		alive = alive || (p == nil || !p.down) && !s.resting(uri, now)
	}
	alive = alive && !now.Before(s.until)
	news = s.dead == alive
	s.dead = !alive
	return alive, news
}

// watch takes over whose health is counted; the caller holds the lock. What is
// known of targets that stay is kept.
func (s *State) watch(t *Trunk) {
	before := s.pulses
	s.health, s.pulses, s.order = t.Health, nil, nil
	for _, e := range t.Targets {
		if !slices.Contains(s.order, e.URI) {
			s.order = append(s.order, e.URI)
		}
	}
	if t.Health == nil {
		return
	}
	s.pulses = make(map[string]*pulse, len(t.Targets))
	for _, e := range t.Targets {
		if s.pulses[e.URI] != nil {
			continue
		}
		if s.pulses[e.URI] = before[e.URI]; before[e.URI] == nil {
			s.pulses[e.URI] = &pulse{}
		}
	}
}

// sick tells whether a target is down; the caller holds the lock. Where no probe
// asks, it is not for the one call that tries it after a rest.
func (s *State) sick(uri string, now time.Time) bool {
	p := s.pulses[uri]
	if p == nil || !p.down {
		return false
	}
	if s.health.Options == 0 && !now.Before(p.trial) {
		p.trial = now.Add(trialAfter)
		return false
	}
	return true
}

// Reachable tells whether the trunk is enabled and any target is not at rest and not
// known to be down, or is due for a trial.
func (s *State) Reachable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.off && s.reachable(time.Now())
}

func (s *State) reachable(now time.Time) bool {
	if len(s.pulses) == 0 && len(s.targets) == 0 {
		return true
	}
	for _, uri := range s.order {
		p := s.pulses[uri]
		if !s.resting(uri, now) && (p == nil || !p.down || s.health.Options == 0 && !now.Before(p.trial)) {
			return true
		}
	}
	return len(s.order) == 0
}

// pulsesNow lists the targets of a trunk whose health is counted, or of which one
// is at rest: all of them, so that who reads it sees what is left. The caller holds
// the lock.
func (s *State) pulsesNow() []TargetStats {
	now := time.Now()
	if !slices.ContainsFunc(s.order, func(uri string) bool { return s.pulses[uri] != nil || s.resting(uri, now) }) {
		return nil
	}
	var list []TargetStats
	for _, uri := range s.order {
		p, rests := s.pulses[uri], s.resting(uri, now)
		one := TargetStats{URI: uri, Up: true}
		if p != nil {
			one.Up, one.Since = !p.down, p.since
		}
		switch {
		case !one.Up:
			one.Why = p.why
		case rests:
			one.Up, one.Why = false, "it asked for a rest (Retry-After)"
		}
		if rests {
			one.Until = s.targets[uri]
		}
		list = append(list, one)
	}
	return list
}
