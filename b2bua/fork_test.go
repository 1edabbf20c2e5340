package b2bua

import (
	"context"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// together routes to bob and carol at once.
func together(context.Context, View) Decided {
	d := toBobThenCarol(context.Background(), View{}).Decision.(Route)
	d.Strategy = Parallel
	return Decided{Decision: d}
}

func TestFirstAnswerOfParallelTargetsWins(t *testing.T) {
	play(t, &fixed{invite: together}, func(r *rig) {
		d := r.dial(sdpOffer)
		atBob, atCarol := r.wait(r.bob, "INVITE"), r.wait(r.carol, "INVITE")
		atBob.Reply(180, nil)
		atCarol.Reply(180, nil)
		sent := atCarol.Reply(200, withSDP)
		cancel := r.wait(r.bob, "CANCEL")
		if got := cancel.Get("Reason"); got != elsewhere {
			t.Errorf("Reason of the CANCEL is %q", got)
		}
		ok := r.wait(r.alice, "200")
		call := d.talk(r.carol, atCarol, sent, ok)
		r.ack(call.alice, 1, "")
		r.wait(r.carol, "ACK")
		r.say(r.alice, call.alice, "BYE", nil)
		r.wait(r.carol, "BYE").Reply(200, nil)
		if rec := r.record(); len(rec.Attempts) != 2 || rec.Target != "sip:bob@192.0.2.3:5060" {
			t.Errorf("record: %d attempts, target %s", len(rec.Attempts), rec.Target)
		}
	})
}

func TestBestFailureOfParallelTargetsCrosses(t *testing.T) {
	for _, tt := range []struct {
		bob, carol, want int
	}{{486, 404, 486}, {503, 486, 486}, {486, 484, 484}, {404, 603, 603}, {603, 404, 603}} {
		play(t, &fixed{invite: together}, func(r *rig) {
			r.dial(sdpOffer)
			atBob, atCarol := r.wait(r.bob, "INVITE"), r.wait(r.carol, "INVITE")
			atBob.Reply(tt.bob, nil)
			if tt.bob < 600 {
				atCarol.Reply(tt.carol, nil)
			} else {
				atCarol.Reply(180, nil)
				r.wait(r.carol, "CANCEL")
			}
			if in := r.final(); in.Status != tt.want {
				t.Errorf("%d and %d became %d, want %d", tt.bob, tt.carol, in.Status, tt.want)
			}
		})
	}
}

func TestSecondAnswerOfParallelTargetsIsHungUp(t *testing.T) {
	play(t, &fixed{invite: together}, func(r *rig) {
		d := r.dial(sdpOffer)
		atBob, atCarol := r.wait(r.bob, "INVITE"), r.wait(r.carol, "INVITE")
		atBob.Reply(200, withSDP)
		atCarol.Reply(200, withSDP)
		r.wait(r.carol, "ACK")
		r.wait(r.carol, "BYE").Reply(200, nil)
		ok := r.wait(r.alice, "200")
		alice := r.alice.Dialog(d.req, ok.Message, false)
		r.ack(alice, 1, "")
		r.wait(r.bob, "ACK")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestNestedTargetsAreTriedStageByStage(t *testing.T) {
	nested := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{
			{URI: "sip:bob@192.0.2.2:5060"}, {URI: "sip:bob@192.0.2.3:5060", Beside: true}, {URI: "sip:late@192.0.2.2:5060"},
		}}}
	}
	play(t, &fixed{invite: nested}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(503, nil)
		r.wait(r.carol, "INVITE").Reply(500, nil)
		in := r.wait(r.bob, "INVITE")
		if in.URI != "sip:late@192.0.2.2:5060" {
			t.Errorf("third target is %s", in.URI)
		}
		in.Reply(404, nil)
		if got := r.final().Status; got != 404 {
			t.Errorf("caller got %d", got)
		}
	})
}

func TestGroupWithoutItsFirstTargetStaysAGroupOfItsOwn(t *testing.T) {
	nested := func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{
			{URI: "sip:first@192.0.2.2:5060"}, {Trunk: "unknown"}, {URI: "sip:second@192.0.2.3:5060", Beside: true},
		}}}
	}
	play(t, &fixed{invite: nested}, func(r *rig) {
		r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		if in, err := r.carol.Next(time.Second, "INVITE"); err == nil {
			t.Errorf("%s came beside the first", in.Name())
		}
		in.Reply(503, nil)
		r.wait(r.carol, "INVITE").Reply(486, nil)
		r.final()
	})
}

func TestRedirectionIsFollowedInOrderOfQ(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(302, func(m *message.Message) {
			m.Add("Contact", "<sip:second@192.0.2.3:5060>;q=0.2, <sip:first@192.0.2.3:5060?Subject=x>;q=0.9")
			m.Add("Contact", "<sip:bob@192.0.2.2:5060>")
		})
		in := r.wait(r.carol, "INVITE")
		if in.URI != "sip:first@192.0.2.3:5060" {
			t.Errorf("first contact is %s", in.URI)
		}
		in.Reply(503, nil)
		if in = r.wait(r.carol, "INVITE"); in.URI != "sip:second@192.0.2.3:5060" {
			t.Errorf("second contact is %s", in.URI)
		}
		in.Reply(486, nil)
		if got := r.final().Status; got != 486 {
			t.Errorf("caller got %d", got)
		}
	})
}

// RFC 3261 section 8.1.3.4: until one answers, or a 6xx comes.
func TestEveryContactOfARedirectionIsTried(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  int // of the first contact
		rings bool
		goes  bool // on to the second
	}{
		{"busy", 486, false, true},
		{"not found", 404, false, true},
		{"declined", 603, false, false},
		{"rang", 486, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, &fixed{invite: toBobThenCarol}, func(r *rig) {
				r.dial(sdpOffer)
				r.wait(r.bob, "INVITE").Reply(302, func(m *message.Message) {
					m.Add("Contact", "<sip:first@192.0.2.3:5060>, <sip:second@192.0.2.3:5060>;q=0.1")
				})
				in := r.wait(r.carol, "INVITE")
				if c.rings {
					in.Reply(180, nil)
				}
				in.Reply(c.code, nil)
				want := c.code
				if c.goes {
					if in = r.wait(r.carol, "INVITE"); in.URI != "sip:second@192.0.2.3:5060" {
						t.Errorf("%s is tried after %d", in.URI, c.code)
					}
					want = 410 // a target of the route comes after those codes only that it names
					in.Reply(want, nil)
				}
				if got := r.final().Status; got != want {
					t.Errorf("caller got %d, want %d", got, want)
				}
				r.never(r.carol, "INVITE")
			})
		})
	}
}

func TestCalleesThatRedirectForEverAreLeft(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.dial(sdpOffer)
		n := 0
		for {
			in, err := r.bob.Next(time.Second, "INVITE")
			if err != nil {
				break
			}
			n++
			in.Reply(302, func(m *message.Message) {
				m.Add("Contact", "<sip:bob"+string(rune('a'+n%26))+string(rune('a'+n/26))+"@192.0.2.2:5060>")
			})
		}
		if n != maxAttempts {
			t.Errorf("%d attempts, want %d", n, maxAttempts)
		}
		if got := r.final().Status; got != 302 {
			t.Errorf("caller got %d", got)
		}
	})
}

func TestRedirectionCanPass(t *testing.T) {
	pass := func(context.Context, View) Decided {
		r := routeTo("192.0.2.2:5060").Decision.(Route)
		r.Redirects = PassRedirects
		return Decided{Decision: r}
	}
	play(t, &fixed{invite: pass}, func(r *rig) {
		r.dial(sdpOffer)
		r.wait(r.bob, "INVITE").Reply(302, func(m *message.Message) { m.Add("Contact", "<sip:other@192.0.2.3:5060>") })
		in := r.final()
		if in.Status != 302 || in.Get("Contact") != "<sip:other@192.0.2.3:5060>" {
			t.Errorf("caller got %d with %q", in.Status, in.Get("Contact"))
		}
	})
}

// final is the failure that alice gets.
func (r *rig) final() *simnet.Incoming {
	r.Helper()
	for {
		if in := r.wait(r.alice, "*"); !in.IsRequest() && in.Status >= 300 {
			return in
		}
	}
}
