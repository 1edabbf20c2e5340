package trunk

import (
	"testing"
	"testing/synctest"
	"time"
)

// healthy is a state of one trunk with two targets.
func healthy(t *testing.T, h *Health) (*States, *State) {
	t.Helper()
	states := NewStates()
	states.Follow(withTargets(t, h, "sip:a", "sip:b"))
	return states, states.Of("carrier")
}

func withTargets(t *testing.T, h *Health, uris ...string) *Table {
	t.Helper()
	one := Trunk{Name: "carrier", Health: h}
	for _, uri := range uris {
		one.Targets = append(one.Targets, Endpoint{URI: uri})
	}
	table, err := NewTable([]Trunk{one}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestOnlyFailuresInARowTakeATargetDown(t *testing.T) {
	_, s := healthy(t, &Health{Options: time.Second, DownAfter: 2, UpAfter: 2})
	if s.Missed("sip:a", "no answer") || s.Heard("sip:a") || s.Missed("sip:a", "no answer") || s.Down("sip:a") {
		t.Error("failures apart count together")
	}
	if !s.Missed("sip:a", "no answer") || !s.Down("sip:a") || s.Down("sip:b") || !s.Up() {
		t.Error("two in a row do not take it down, or the whole trunk with it")
	}
	if s.Missed("sip:a", "no answer") || s.Heard("sip:a") || s.Missed("sip:a", "refused") || s.Heard("sip:a") || !s.Heard("sip:a") || s.Down("sip:a") {
		t.Error("two answers in a row bring it back, and are told once")
	}
}

func TestATrunkIsDownWithItsLastTarget(t *testing.T) {
	_, s := healthy(t, &Health{Options: time.Second, DownAfter: 1, UpAfter: 1})
	s.Missed("sip:a", "no answer")
	s.Missed("sip:b", "503 Service Unavailable")
	if s.Up() || s.Reachable() {
		t.Error("it is up")
	}
	if got := s.Stats(); got.Up || len(got.Targets) != 2 || got.Targets[1].Why != "503 Service Unavailable" || !got.Until.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestATurnOfTheTrunkIsToldOnce(t *testing.T) {
	_, s := healthy(t, &Health{Options: time.Second, DownAfter: 1, UpAfter: 1})
	for _, step := range []struct {
		does        func()
		alive, news bool
	}{
		{func() {}, true, false},
		{func() { s.Missed("sip:a", "no answer") }, true, false},
		{func() { s.Missed("sip:b", "no answer") }, false, true},
		{func() {}, false, false},
		{func() { s.Heard("sip:a") }, true, true},
		{func() { s.Heard("sip:b") }, true, false},
	} {
		step.does()
		if alive, news := s.Turned(); alive != step.alive || news != step.news {
			t.Errorf("alive %v, news %v, want %+v", alive, news, step)
		}
	}
}

func TestOneTrialIsFreeWhereNobodyProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := healthy(t, &Health{DownAfter: 1, UpAfter: 1})
		s.Missed("sip:a", "no answer")
		time.Sleep(trialAfter - time.Nanosecond)
		if !s.Down("sip:a") {
			t.Error("a trial before its time")
		}
		time.Sleep(time.Nanosecond)
		if s.Down("sip:a") || !s.Down("sip:a") {
			t.Error("want one trial")
		}
		probed, p := healthy(t, &Health{Options: time.Second, DownAfter: 1, UpAfter: 1})
		_ = probed
		p.Missed("sip:a", "no answer")
		time.Sleep(time.Hour)
		if !p.Down("sip:a") {
			t.Error("a call tries what a probe could")
		}
	})
}

func TestAReloadKeepsWhatIsKnownOfTargetsThatStay(t *testing.T) {
	h := &Health{Options: time.Second, DownAfter: 1, UpAfter: 1}
	states, s := healthy(t, h)
	s.Missed("sip:a", "no answer")
	states.Follow(withTargets(t, h, "sip:c", "sip:a"))
	if !s.Down("sip:a") || s.Down("sip:c") || s.Missed("sip:b", "no answer") {
		t.Errorf("%+v", s.Stats().Targets)
	}
	states.Follow(withTargets(t, nil, "sip:a"))
	if s.Down("sip:a") || len(s.Stats().Targets) > 0 {
		t.Error("health that is not wanted is counted")
	}
}

func TestARestIsListedBesideTheTargetsThatAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := healthy(t, nil)
		s.PenalizeTarget("sip:a", time.Now().Add(time.Minute))
		if got := s.Stats(); !got.Up || len(got.Targets) != 2 || got.Targets[0].Up || !got.Targets[1].Up || got.Targets[1].Why != "" {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		if got := s.Stats(); len(got.Targets) != 0 {
			t.Errorf("%+v", got)
		}
	})
}
