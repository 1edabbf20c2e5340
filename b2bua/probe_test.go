package b2bua

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// watched is a trunk with bob's address and carol's behind it.
func watched(h trunk.Health) trunk.Trunk {
	return trunk.Trunk{Name: "carrier", Health: &h, Targets: []trunk.Endpoint{
		{URI: "sip:192.0.2.2:5060"}, {URI: "sip:192.0.2.3:5060", Priority: 1},
	}}
}

func toCarrier(context.Context, View) Decided {
	return Decided{Decision: Route{Targets: []Target{{Trunk: "carrier", User: "4711"}}, Try: 2 * time.Second}}
}

var everyHalfMinute = trunk.Health{Options: 30 * time.Second, Timeout: 2 * time.Second, DownAfter: 3, UpAfter: 2}

// always answers everything with a code.
func always(code int) func(*simnet.Incoming) {
	return func(in *simnet.Incoming) {
		if in.IsRequest() && in.Message.Method != "ACK" {
			in.Reply(code, nil)
		}
	}
}

func silence(*simnet.Incoming) {}

// up tells which of the carrier's targets are.
func (r *rig) up() []bool {
	r.Helper()
	var list []bool
	for _, s := range r.server.Trunks().Stats() {
		if s.Name == "carrier" {
			for _, one := range s.Targets {
				list = append(list, one.Up)
			}
		}
	}
	return list
}

func (r *rig) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.changes)
}

func TestASilentTargetGoesDownAndComesUpAgain(t *testing.T) {
	for name, sick := range map[string]func(*simnet.Incoming){"silent": silence, "503": always(503)} {
		t.Run(name, func(t *testing.T) {
			play(t, &fixed{}, func(r *rig) {
				r.bob.Hear(always(200))
				r.carol.Hear(always(404)) // an answer all the same
				r.apply(watched(everyHalfMinute))
				r.server.Attend()
				time.Sleep(3 * time.Minute)
				if got := r.up(); !slices.Equal(got, []bool{true, true}) {
					t.Errorf("up: %v", got)
				}
				r.bob.Hear(sick)
				time.Sleep(3 * time.Minute)
				if got := r.up(); !slices.Equal(got, []bool{false, true}) {
					t.Errorf("up: %v", got)
				}
				r.bob.Hear(always(200))
				time.Sleep(26 * time.Second)
				if got := r.up(); got[0] {
					t.Error("one answer is enough")
				}
				time.Sleep(time.Minute)
				if got := r.up(); !slices.Equal(got, []bool{true, true}) {
					t.Errorf("up: %v", got)
				}
				want := []string{"carrier target.down sip:192.0.2.2:5060", "carrier target.up sip:192.0.2.2:5060"}
				if got := r.heard(); !slices.Equal(got, want) {
					t.Errorf("observers hear %q", got)
				}
				r.apply()
			})
		})
	}
}

func TestATrunkGoesDownWithItsLastTargetAndUpWithTheFirst(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		r.bob.Hear(silence)
		r.carol.Hear(silence)
		r.apply(watched(everyHalfMinute))
		r.server.Attend()
		time.Sleep(5 * time.Minute)
		r.bob.Hear(always(200))
		time.Sleep(5 * time.Minute)
		r.carol.Hear(always(200))
		time.Sleep(5 * time.Minute)
		var got []string
		for _, change := range r.heard() {
			if name, _ := strings.CutPrefix(change, "carrier "); strings.HasPrefix(name, "trunk.") {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, []string{"trunk.down", "trunk.up"}) {
			t.Errorf("observers hear %q", got)
		}
		r.apply()
	})
}

func TestProbesAreFromTheTrunksListenerAndEndWithIt(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		one := watched(everyHalfMinute)
		one.Targets = one.Targets[:1]
		r.apply(one)
		r.server.Attend()
		began := time.Now()
		for range 20 {
			in := r.wait(r.bob, "OPTIONS")
			if in.URI != "sip:192.0.2.2:5060" || in.Get("Max-Forwards") != "70" || in.Flow().Remote.String() != sbc {
				t.Errorf("%s", in.Bytes())
			}
			in.Reply(200, nil)
		}
		if took := time.Since(began); took < 18*27*time.Second || took > 20*33*time.Second {
			t.Errorf("20 probes in %s", took)
		}
		r.apply()
		r.never(r.bob, "OPTIONS")
	})
}

func TestCallsThatMeetADeadTargetTakeItDown(t *testing.T) {
	play(t, &fixed{invite: toCarrier}, func(r *rig) {
		r.apply(watched(trunk.Health{DownAfter: 2, UpAfter: 1}))
		r.bob.Hear(silence)
		r.carol.Hear(always(486))
		call := func() time.Duration {
			began := time.Now()
			r.dial(sdpOffer)
			r.wait(r.alice, "486")
			return time.Since(began)
		}
		for i := range 2 {
			if took := call(); took != 2*time.Second {
				t.Errorf("call %d took %s", i, took)
			}
		}
		if got := r.up(); !slices.Equal(got, []bool{false, true}) {
			t.Errorf("up: %v", got)
		}
		if took := call(); took != 0 {
			t.Errorf("a call behind that took %s", took)
		}
		time.Sleep(31 * time.Second)
		r.bob.Hear(always(486))
		if call(); !slices.Equal(r.up(), []bool{true, true}) { // one call tries it
			t.Error("a trial that was answered does not count")
		}
	})
}

func TestOneCallAtATimeTriesATargetThatIsDown(t *testing.T) {
	play(t, &fixed{invite: toCarrier}, func(r *rig) {
		r.apply(watched(trunk.Health{DownAfter: 1, UpAfter: 1}))
		r.bob.Hear(silence)
		r.carol.Hear(always(486))
		r.dial(sdpOffer)
		r.wait(r.alice, "486")
		time.Sleep(31 * time.Second)
		tried := make(chan string, 8)
		r.bob.Hear(func(in *simnet.Incoming) {
			if in.Message.Method == "INVITE" {
				tried <- in.CallID()
			}
		})
		for range 3 {
			r.dial(sdpOffer)
		}
		for range 3 {
			r.wait(r.alice, "486")
		}
		if n := len(tried); n != 1 {
			t.Errorf("%d calls have tried it", n)
		}
	})
}

func TestATrunkThatIsDownComesAfterTheOthers(t *testing.T) {
	both := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "carrier"}, {Trunk: "spare"}}, Try: 2 * time.Second}}
	}
	play(t, &fixed{invite: both}, func(r *rig) {
		first := watched(trunk.Health{DownAfter: 1, UpAfter: 1})
		first.Targets = first.Targets[:1]
		r.apply(first, trunk.Trunk{Name: "spare", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.3:5060"}}})
		r.bob.Hear(silence)
		r.carol.Hear(always(486))
		for _, want := range []time.Duration{2 * time.Second, 0} {
			began := time.Now()
			r.dial(sdpOffer)
			r.wait(r.alice, "486")
			if took := time.Since(began); took != want {
				t.Errorf("failover took %s, want %s", took, want)
			}
		}
		if r.server.Trunks().Of("carrier").Up() {
			t.Error("the trunk counts as up")
		}
	})
}

func TestADisabledTrunkTakesNoNewCallsEitherWay(t *testing.T) {
	both := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "carrier"}, {Trunk: "spare"}}}}
	}
	play(t, &fixed{invite: both}, func(r *rig) {
		one := trunk.Trunk{Name: "carrier", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.2:5060"}}}
		spare := trunk.Trunk{Name: "spare", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.3:5060"}}}
		r.apply(one, spare)
		if !r.server.EnableTrunk("carrier", false) || r.server.EnableTrunk("nobody", false) {
			t.Error("want the carrier disabled, and nobody else")
		}
		r.apply(one, spare) // a reload leaves it at that
		r.bob.Hear(always(486))
		r.carol.Hear(always(603))
		r.dial(sdpOffer)
		r.wait(r.alice, "603")
		r.server.EnableTrunk("spare", false)
		r.dial(sdpOffer)
		r.wait(r.alice, "503")
		r.server.EnableTrunk("carrier", true)
		r.dial(sdpOffer)
		r.wait(r.alice, "486")
		r.server.EnableTrunk("phones", false)
		_, err := r.alice.Send(r.alice.Invite("sip:bob@"+sbc, sdpOffer), sbc)
		r.check(err)
		r.wait(r.alice, "503")
		want := []string{"carrier trunk.disabled", "spare trunk.disabled", "carrier trunk.enabled", "phones trunk.disabled"}
		if got := r.heard(); !slices.Equal(got, want) {
			t.Errorf("observers hear %q", got)
		}
	})
}

func TestATrunkThatAsksForARestComesAfterTheOthersAndIsSeenToRest(t *testing.T) {
	both := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "carrier"}, {Trunk: "spare"}}}}
	}
	play(t, &fixed{invite: both}, func(r *rig) {
		r.apply(
			trunk.Trunk{Name: "carrier", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.2:5060"}}},
			trunk.Trunk{Name: "spare", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.3:5060"}}})
		asked := 0
		r.bob.Hear(func(in *simnet.Incoming) {
			if in.Message.Method == "INVITE" {
				asked++
				in.Reply(503, func(res *message.Message) { res.Set("Retry-After", "3600") })
			}
		})
		r.carol.Hear(always(486))
		for range 3 {
			r.dial(sdpOffer)
			r.wait(r.alice, "486")
		}
		stats := r.server.Trunks().Of("carrier").Stats()
		if asked != 1 || stats.Up || len(stats.Targets) != 1 || time.Until(stats.Targets[0].Until) > maxRetryAfter || stats.Targets[0].Why == "" {
			t.Errorf("asked %d times, %+v", asked, stats)
		}
		time.Sleep(maxRetryAfter + time.Millisecond)
		r.dial(sdpOffer)
		r.wait(r.alice, "486")
		if asked != 2 {
			t.Errorf("asked %d times after its rest", asked)
		}
		got := slices.DeleteFunc(r.heard(), func(s string) bool { return !strings.HasPrefix(s, "carrier ") })
		want := []string{
			"carrier target.down sip:192.0.2.2:5060", "carrier trunk.down", "carrier target.up sip:192.0.2.2:5060", "carrier trunk.up",
			"carrier target.down sip:192.0.2.2:5060", "carrier trunk.down",
		}
		if !slices.Equal(got, want) {
			t.Errorf("observers hear %q", got)
		}
		r.apply()
	})
}

func TestAPenaltyIsToldWhenItBeginsAndWhenItEnds(t *testing.T) {
	play(t, &fixed{}, func(r *rig) {
		r.apply(trunk.Trunk{Name: "carrier", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.2:5060"}}})
		carrier := r.server.Trunks().Of("carrier")
		carrier.Penalize(time.Now().Add(time.Second))
		carrier.Penalize(time.Now().Add(10 * time.Second))
		time.Sleep(9 * time.Second)
		if got := r.heard(); !slices.Equal(got, []string{"carrier trunk.down"}) {
			t.Errorf("observers hear %q", got)
		}
		time.Sleep(2 * time.Second)
		if got := r.heard(); !slices.Equal(got, []string{"carrier trunk.down", "carrier trunk.up"}) {
			t.Errorf("observers hear %q", got)
		}
		r.apply()
	})
}
