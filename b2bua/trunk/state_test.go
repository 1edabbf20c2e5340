package trunk

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func states(t *testing.T, limits Limits) *States {
	t.Helper()
	s := NewStates()
	s.Follow(table(t, nil, Trunk{Name: "pbx", Limits: limits}))
	return s
}

func TestTheCallAfterTheLimitIsRefused(t *testing.T) {
	pbx := states(t, Limits{Calls: 2}).Of("pbx")
	for i, want := range []error{nil, nil, ErrCalls} {
		if err := pbx.Admit(); !errors.Is(err, want) {
			t.Errorf("call %d: got %v, want %v", i, err, want)
		}
	}
	pbx.Release()
	if err := pbx.Admit(); err != nil {
		t.Error("after a release:", err)
	}
}

func TestRateIsHeldOverSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pbx := states(t, Limits{CPS: 10}).Of("pbx")
		admitted := 0
		for range 1000 { // ten seconds of 100 calls a second
			if err := pbx.Admit(); err == nil {
				admitted++
				pbx.Release()
			} else if !errors.Is(err, ErrRate) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if admitted < 109 || admitted > 110 {
			t.Error("admitted", admitted, "of 1000; want the burst of 10 and 10 a second")
		}
	})
}

func TestASlowRateAdmitsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pbx := states(t, Limits{CPS: 0.5}).Of("pbx")
		for i, want := range []error{nil, ErrRate, nil, ErrRate} {
			if err := pbx.Admit(); !errors.Is(err, want) {
				t.Errorf("call %d: got %v, want %v", i, err, want)
			}
			if i == 1 {
				time.Sleep(2 * time.Second)
			}
		}
	})
}

func TestStateOutlivesAReload(t *testing.T) {
	s := states(t, Limits{Calls: 5})
	pbx := s.Of("pbx")
	_ = pbx.Admit()
	pbx.Attempted()
	s.Follow(table(t, nil, Trunk{Name: "pbx", Limits: Limits{Calls: 1}}, Trunk{Name: "new"}))
	if s.Of("pbx") != pbx {
		t.Fatal("another state after the reload")
	}
	if err := pbx.Admit(); !errors.Is(err, ErrCalls) {
		t.Error("the new limit does not count the old call:", err)
	}
	if got := s.Stats(); len(got) != 2 || got[0].Name != "new" || got[1].Calls != 1 || got[1].Attempts != 1 {
		t.Errorf("got %+v", got)
	}
	s.Follow(table(t, nil, Trunk{Name: "new"}))
	pbx.Release()
	if got := s.Stats(); len(got) != 1 || got[0].Name != "new" {
		t.Errorf("the trunk that is gone is still listed: %+v", got)
	}
}

func TestAPenaltyEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pbx := states(t, Limits{}).Of("pbx")
		pbx.Penalize(time.Now().Add(time.Minute))
		pbx.Penalize(time.Now().Add(time.Second))
		time.Sleep(2 * time.Second)
		if got := pbx.Stats(); pbx.Up() || got.Up || got.Until.IsZero() {
			t.Errorf("a shorter penalty ended the longer one: %+v", got)
		}
		time.Sleep(58 * time.Second)
		if got := pbx.Stats(); !pbx.Up() || !got.Up || !got.Until.IsZero() {
			t.Errorf("still down: %+v", got)
		}
	})
}

func TestATargetIsDownForItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pbx := states(t, Limits{}).Of("pbx")
		pbx.PenalizeTarget("sip:192.0.2.1", time.Now().Add(time.Second))
		if !pbx.Down("sip:192.0.2.1") || pbx.Down("sip:192.0.2.2") || !pbx.Up() {
			t.Error("not exactly one target is down")
		}
		time.Sleep(time.Second)
		if pbx.Down("sip:192.0.2.1") {
			t.Error("still down")
		}
	})
}

func TestPenaltiesOfTargetsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pbx := states(t, Limits{}).Of("pbx")
		for i := range 2 * maxPenalties {
			pbx.PenalizeTarget(fmt.Sprint(i), time.Now().Add(time.Hour))
		}
		if n := len(pbx.targets); n != maxPenalties {
			t.Error(n, "targets kept")
		}
		time.Sleep(time.Hour)
		pbx.PenalizeTarget("fresh", time.Now().Add(time.Hour))
		if !pbx.Down("fresh") {
			t.Error("old penalties keep a new one out")
		}
	})
}

func TestCountersMayBeUsedFromEverywhere(t *testing.T) {
	s := states(t, Limits{Calls: 1000})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			pbx := s.Of("pbx")
			if pbx.Admit() == nil {
				pbx.Attempted()
				pbx.Answered()
				pbx.Failed()
				pbx.Release()
			}
			s.Stats()
		})
	}
	all.Wait()
	if got := s.Of("pbx").Stats(); got.Calls != 0 || got.Attempts != 50 || got.Answered != 50 || got.Failed != 50 {
		t.Errorf("got %+v", got)
	}
}

func TestATrunkThatIsGoneIsNotListedAgain(t *testing.T) {
	s := states(t, Limits{})
	s.Follow(table(t, nil))
	s.Of("pbx").Penalize(time.Now().Add(time.Minute)) // by a call that goes on, or a timer
	if got := s.Stats(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}
