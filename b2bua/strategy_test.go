package b2bua

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// ordering is a server that knows trunks a, b, c and d.
func ordering(t *testing.T) *Server {
	t.Helper()
	var list []trunk.Trunk
	for _, name := range []string{"a", "b", "c", "d"} {
		list = append(list, trunk.Trunk{Name: name, Targets: []trunk.Endpoint{{URI: "sip:" + name + ".example"}}, Health: &trunk.Health{DownAfter: 1, UpAfter: 1}})
	}
	table, err := trunk.NewTable(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Policy: &fixed{}, Settings: Settings{Trunks: table}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func namesOf(targets []Target) []string {
	var list []string
	for i := range targets {
		list = append(list, targets[i].name())
	}
	return list
}

func from(uri string) *message.Message {
	m := &message.Message{Method: "INVITE"}
	m.Add("From", "<"+uri+">;tag=1")
	return m
}

func TestEqualKeysGoToTheSameTargetAndOthersStayWhenOneGoes(t *testing.T) {
	s := ordering(t)
	all := []Target{{Trunk: "a"}, {Trunk: "b"}, {Trunk: "c"}, {Trunk: "d"}}
	count := map[string]int{}
	for i := range 4000 {
		caller := from(fmt.Sprintf("sip:%d@phones.example", i))
		first := s.order(&Route{Strategy: Hash, Targets: slices.Clone(all)}, caller, s.cfg.Rand)
		if again := s.order(&Route{Strategy: Hash, Targets: slices.Clone(all)}, caller, s.cfg.Rand); !slices.Equal(namesOf(first), namesOf(again)) {
			t.Fatalf("%v, then %v", namesOf(first), namesOf(again))
		}
		count[first[0].Trunk]++
		less := slices.DeleteFunc(slices.Clone(all), func(t Target) bool { return t.Trunk == "d" })
		without := s.order(&Route{Strategy: Hash, Targets: less}, caller, s.cfg.Rand)
		if first[0].Trunk != "d" && without[0].Trunk != first[0].Trunk {
			t.Fatalf("%s moves to %s because d has gone", first[0].Trunk, without[0].Trunk)
		}
	}
	for name, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("%s gets %d of 4000", name, n)
		}
	}
}

func TestAHashGoesByItsKeyAndByWeight(t *testing.T) {
	s := ordering(t)
	heavy := 0
	for i := range 4000 {
		r := &Route{Strategy: Hash, Key: fmt.Sprint(i), Targets: []Target{{Trunk: "a", Weight: 3}, {Trunk: "b"}, {Trunk: "c", Backup: true, Weight: 1000}}}
		got := s.order(r, from("sip:always@phones.example"), s.cfg.Rand)
		if got[0].Trunk == "a" {
			heavy++
		}
		if got[2].Trunk != "c" {
			t.Fatalf("the backup is not last: %v", namesOf(got))
		}
	}
	if heavy < 2850 || heavy > 3150 {
		t.Errorf("weight 3 of 4 gets %d of 4000", heavy)
	}
}

func TestTheTrunkWithTheFewestCallsForItsWeightComesFirst(t *testing.T) {
	s := ordering(t)
	for name, calls := range map[string]int{"a": 4, "b": 3, "c": 2} {
		for range calls {
			if err := s.trunks.Of(name).Admit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := &Route{Strategy: LeastLoaded, Targets: []Target{{Trunk: "d", Backup: true}, {Trunk: "a", Weight: 4}, {Trunk: "b"}, {Trunk: "c"}}}
	if got := namesOf(s.order(r, from("sip:x@y.example"), s.cfg.Rand)); !slices.Equal(got, []string{"a", "c", "b", "d"}) {
		t.Errorf("%v", got)
	}
}

func TestATrunkThatIsDownIsLastWhateverTheStrategy(t *testing.T) {
	s := ordering(t)
	s.trunks.Of("a").Missed("sip:a.example", "no answer")
	for _, strategy := range []Strategy{Serial, Weighted, Hash, LeastLoaded} {
		got := namesOf(s.order(&Route{Strategy: strategy, Targets: []Target{{Trunk: "a", Weight: 50}, {Trunk: "b"}, {Trunk: "c", Backup: true}}}, from("sip:x@y.example"), s.cfg.Rand))
		if !slices.Equal(got, []string{"b", "c", "a"}) {
			t.Errorf("strategy %d: %v", strategy, got)
		}
	}
	group := []Target{{Trunk: "a"}, {Trunk: "b", Beside: true}, {Trunk: "c"}}
	if got := namesOf(s.order(&Route{Targets: group}, from("sip:x@y.example"), s.cfg.Rand)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("a group is torn apart: %v", got)
	}
}

// The limits of a trunk hold for calls to it and from it together.
func TestALimitCountsCallsInBothDirections(t *testing.T) {
	toBoth := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "carrier"}}}}
	}
	play(t, &fixed{invite: toBoth}, func(r *rig) {
		r.apply(trunk.Trunk{
			Name: "carrier", Match: []string{"192.0.2.3"}, Targets: []trunk.Endpoint{{URI: "sip:192.0.2.2:5060"}},
			Limits: trunk.Limits{Calls: 1},
		})
		d := r.dial(sdpOffer) // a call to it
		in := r.wait(r.bob, "INVITE")
		_, err := r.carol.Send(r.carol.Invite("sip:x@"+sbc, sdpOffer), sbc)
		r.check(err)
		if got := r.wait(r.carol, "503"); got.Get("Retry-After") == "" {
			t.Errorf("%s", got.Bytes())
		}
		if n := r.server.Trunks().Of("carrier").Calls(); n != 1 {
			t.Errorf("%d calls are counted", n)
		}
		in.Reply(486, nil)
		r.wait(d.alice, "486")
		_, err = r.carol.Send(r.carol.Invite("sip:x@"+sbc, sdpOffer), sbc) // from it, to it: one too many
		r.check(err)
		r.wait(r.carol, "503")
		synctest.Wait() // the place is freed behind the answer
		if n := r.server.Trunks().Of("carrier").Calls(); n != 0 {
			t.Errorf("%d calls are left", n)
		}
	})
}
