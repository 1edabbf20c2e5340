package b2bua

import (
	"context"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

func TestADeadFirstTargetCostsNoMoreThanItsTry(t *testing.T) {
	for uri, want := range map[string]time.Duration{
		"sip:x@192.0.2.77":               2 * time.Second,       // silent
		"sip:x@192.0.2.78;transport=tcp": 2 * time.Second,       // takes the connection, and is silent
		"sip:x@192.0.2.99":               30 * time.Millisecond, // refused by ICMP, which is gathered for a moment
		"sip:x@192.0.2.99;transport=tcp": 0,                     // refused
		"sip:x@nowhere.example":          0,                     // no such name
	} {
		t.Run(uri, func(t *testing.T) {
			play(t, &fixed{invite: func(context.Context, View) Decided {
				return Decided{Decision: Route{Targets: []Target{{URI: uri}, {URI: "sip:carol@192.0.2.3"}}, Try: 2 * time.Second}}
			}}, func(r *rig) {
				r.silentAt("192.0.2.77:5060")
				deaf, err := simnet.NewAgent(r.network, "tcp", "192.0.2.78:5060")
				r.check(err)
				defer deaf.Close()
				deaf.Hear(func(*simnet.Incoming) {})
				r.dial(sdpOffer)
				r.wait(r.carol, "INVITE").Reply(486, nil)
				r.wait(r.alice, "486")
				if got := r.took(); got != want {
					t.Errorf("the next target was tried after %s, want %s", got, want)
				}
			})
		})
	}
}

func TestAHookThatNamesTargetsForEverIsLeft(t *testing.T) {
	for _, again := range []Decision{Next{Targets: routeTo("192.0.2.2:5060").Decision.(Route).Targets}, routeTo("192.0.2.2:5060").Decision} {
		failure := func(context.Context, View, Leg, *message.Message, Origin) Decided { return Decided{Decision: again} }
		play(t, &fixed{invite: toBob, failure: failure}, func(r *rig) {
			r.dial(sdpOffer)
			for n := 1; ; n++ {
				in, err := r.bob.Next(time.Second, "INVITE")
				if err != nil {
					break
				}
				if n > 100 {
					t.Fatalf("%T: attempt %d", again, n)
				}
				in.Reply(486, nil)
			}
			if got := r.final().Status; got != 486 {
				t.Errorf("caller got %d", got)
			}
		})
	}
}
