package b2bua

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// routed is a policy that sends calls to bob with these session timers.
func routed(t trunk.Timer) *fixed {
	return &fixed{invite: func(context.Context, View) Decided {
		d := routeTo("192.0.2.2:5060").Decision.(Route)
		d.Timer = &t
		return Decided{Decision: d}
	}}
}

// wanted are session timers of an hour's quarter that Legwork asks for itself.
var wanted = trunk.Timer{Expires: 900 * time.Second}

// lines adds header lines to a message.
func lines(m *message.Message, list []string) {
	for _, l := range list {
		name, value, _ := strings.Cut(l, ": ")
		m.Add(name, value)
	}
}

// timedCall is a call of which alice's INVITE and bob's 200 have these lines.
func (r *rig) timedCall(invite, answer []string) *conversation {
	r.Helper()
	d := r.dialWith(sdpOffer, func(m *message.Message) { lines(m, invite) })
	in := r.wait(r.bob, "INVITE")
	sent := in.Reply(200, func(res *message.Message) {
		withSDP(res)
		lines(res, answer)
	})
	t := d.talk(r.bob, in, sent, r.wait(r.alice, "200"))
	r.ack(t.alice, 1, "")
	r.wait(r.bob, "ACK")
	return t
}

// soon waits longer than the longest interval of these tests.
func (r *rig) soon(a *simnet.Agent, wants ...string) *simnet.Incoming {
	r.Helper()
	in, err := a.Next(20*time.Minute, wants...)
	r.check(err)
	return in
}

func (r *rig) says(m *message.Message, name, want string) {
	r.Helper()
	if got := m.Get(name); got != want {
		r.Errorf("%s is %q, want %q", name, got, want)
	}
}

func TestSessionTimersEndAtEachLeg(t *testing.T) {
	play(t, routed(wanted), func(r *rig) {
		call := r.timedCall([]string{"Supported: timer", "Session-Expires: 600;refresher=uac", "Min-SE: 120"},
			[]string{"Require: timer", "Session-Expires: 300;refresher=uas"})
		r.says(call.atBob.Message, "Session-Expires", "900")
		r.says(call.atBob.Message, "Min-SE", "90")
		if !call.atBob.HasToken("Supported", "timer") {
			t.Error("bob is not told that we know session timers")
		}
		r.says(call.ok.Message, "Session-Expires", "600;refresher=uac")
		r.says(call.ok.Message, "Require", "timer")
		call.hangUpByAlice()
	})
}

func TestNothingIsAskedForWithoutNeed(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, nil)
		r.says(call.atBob.Message, "Session-Expires", "")
		r.says(call.ok.Message, "Session-Expires", "")
		r.says(call.ok.Message, "Require", "")
		time.Sleep(3 * time.Hour)
		call.hangUpByAlice()
	})
}

func TestACallersTooShortIntervalGets422BeforeRouting(t *testing.T) {
	p := &fixed{invite: func(context.Context, View) Decided { panic("asked") }}
	play(t, p, func(r *rig) {
		r.check(r.server.Apply(Settings{Trunks: r.server.settings().Trunks, Timer: trunk.Timer{Min: 300 * time.Second}}))
		r.dialWith(sdpOffer, func(m *message.Message) { lines(m, []string{"Supported: timer", "Session-Expires: 299"}) })
		r.says(r.wait(r.alice, "422").Message, "Min-SE", "300")
	})
}

func TestTheRoutesTimerIsCheckedToo(t *testing.T) {
	for _, row := range []struct {
		timer trunk.Timer
		line  string
		code  string
		name  string
		want  string
	}{
		{trunk.Timer{Min: 300 * time.Second}, "Session-Expires: 299", "422", "Min-SE", "300"},
		{trunk.Timer{Off: true}, "Require: timer", "420", "Unsupported", "timer"},
	} {
		play(t, routed(row.timer), func(r *rig) {
			r.dialWith(sdpOffer, func(m *message.Message) { lines(m, []string{"Supported: timer", row.line}) })
			r.says(r.wait(r.alice, row.code).Message, row.name, row.want)
			r.never(r.bob, "INVITE")
		})
	}
}

func TestSwitchedOffTimersLeaveNoTrace(t *testing.T) {
	play(t, routed(trunk.Timer{Off: true}), func(r *rig) {
		call := r.timedCall([]string{"Supported: timer", "Session-Expires: 90"}, nil)
		if r.says(call.ok.Message, "Session-Expires", ""); call.atBob.HasToken("Supported", "timer") {
			t.Error("bob is offered session timers")
		}
		time.Sleep(time.Hour)
		call.hangUpByAlice()
	})
}

func TestTheTrunksTimerWinsOverTheServers(t *testing.T) {
	play(t, &fixed{invite: func(context.Context, View) Decided {
		return Decided{Decision: Route{Targets: []Target{{Trunk: "bob", User: "bob"}}}}
	}}, func(r *rig) {
		table, err := trunk.NewTable([]trunk.Trunk{
			{Name: "phones", Match: []string{"192.0.2.0/24"}},
			{Name: "bob", Targets: []trunk.Endpoint{{URI: "sip:192.0.2.2:5060"}}, Timer: &trunk.Timer{Expires: 200 * time.Second, Min: 100 * time.Second, Refresher: "uas"}},
		}, nil)
		r.check(err)
		r.check(r.server.Apply(Settings{Trunks: table, Timer: trunk.Timer{Expires: 700 * time.Second}}))
		call := r.timedCall([]string{"Supported: timer"}, []string{"Session-Expires: 200;refresher=uas"})
		r.says(call.atBob.Message, "Session-Expires", "200;refresher=uas")
		r.says(call.atBob.Message, "Min-SE", "100")
		r.says(call.ok.Message, "Session-Expires", "700;refresher=uac")
		call.hangUpByAlice()
	})
}

func TestACalleesMinSEIsObeyedWithoutTheCaller(t *testing.T) {
	play(t, routed(wanted), func(r *rig) {
		r.dial(sdpOffer)
		first := r.wait(r.bob, "INVITE")
		first.Reply(422, func(m *message.Message) { lines(m, []string{"Min-SE: 1000"}) })
		in := r.wait(r.bob, "INVITE")
		r.says(in.Message, "Session-Expires", "1000")
		r.says(in.Message, "Min-SE", "1000")
		if r.says(in.Message, "CSeq", "2 INVITE"); in.CallID() != first.CallID() || in.FromTag() != first.FromTag() || in.ToTag() != "" {
			t.Error("it is another dialog")
		}
		in.Reply(486, nil)
		r.wait(r.alice, "486")
		if rec := r.record(); len(rec.Attempts) != 1 {
			t.Errorf("%d attempts", len(rec.Attempts))
		}
	})
}

func TestACalleeThatRaisesMinSEWithoutEndIsGivenUp(t *testing.T) {
	play(t, routed(wanted), func(r *rig) {
		r.dial(sdpOffer)
		for _, least := range []string{"1000", "2000", "3000", "4000"} {
			r.wait(r.bob, "INVITE").Reply(422, func(m *message.Message) { lines(m, []string{"Min-SE: " + least}) })
		}
		r.wait(r.alice, "422")
		r.never(r.bob, "INVITE")
	})
}

func TestA422ToARefreshRaisesTheInterval(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Allow: UPDATE", "Session-Expires: 200;refresher=uac"})
		r.soon(r.bob, "UPDATE").Reply(422, func(m *message.Message) { lines(m, []string{"Min-SE: 400"}) })
		in := r.soon(r.bob, "UPDATE")
		r.says(in.Message, "Session-Expires", "400;refresher=uac")
		in.Reply(200, func(m *message.Message) { lines(m, []string{"Session-Expires: 400;refresher=uac"}) })
		call.hangUpByAlice()
	})
}

func TestATooShortRefreshGets422(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall([]string{"Supported: timer", "Session-Expires: 200;refresher=uac"}, nil)
		for _, method := range []string{"UPDATE", "INVITE"} {
			r.say(r.alice, call.alice, method, func(m *message.Message) {
				lines(m, []string{"Supported: timer", "Session-Expires: 60;refresher=uac"})
			})
			r.says(r.wait(r.alice, "422 "+method).Message, "Min-SE", "90")
		}
		call.hangUpByAlice()
	})
}

func TestACrossingReInviteRefreshesBothLegsWithTheirOwnTimers(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall([]string{"Supported: timer", "Session-Expires: 300;refresher=uac"},
			[]string{"Session-Expires: 600;refresher=uas"})
		for range 8 {
			time.Sleep(120 * time.Second)
			r.say(r.alice, call.alice, "INVITE", func(m *message.Message) {
				withSDP(m)
				lines(m, []string{"Supported: timer", "Session-Expires: 300"})
			})
			in := r.wait(r.bob, "INVITE")
			r.says(in.Message, "Session-Expires", "600;refresher=uas")
			in.Reply(200, func(m *message.Message) {
				withSDP(m)
				lines(m, []string{"Session-Expires: 600;refresher=uas"})
			})
			ok := r.wait(r.alice, "200")
			r.says(ok.Message, "Session-Expires", "300;refresher=uac")
			r.ack(call.alice, call.alice.LocalSeq, "")
			r.wait(r.bob, "ACK")
		}
		call.hangUpByAlice()
	})
}

func TestA422ToACrossingReInviteIsAnsweredHere(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		call := r.timedCall(nil, []string{"Session-Expires: 200;refresher=uas"})
		r.say(r.alice, call.alice, "INVITE", func(m *message.Message) { withSDP(m) })
		first := r.wait(r.bob, "INVITE")
		first.Reply(422, func(m *message.Message) { lines(m, []string{"Min-SE: 500"}) })
		in := r.wait(r.bob, "INVITE")
		r.says(in.Message, "Session-Expires", "500;refresher=uas")
		if !bytes.Equal(in.Body, first.Body) {
			t.Error("it carries another offer")
		}
		in.Reply(200, func(m *message.Message) {
			withSDP(m)
			lines(m, []string{"Session-Expires: 500;refresher=uas"})
		})
		r.wait(r.alice, "200")
		r.ack(call.alice, call.alice.LocalSeq, "")
		r.wait(r.bob, "ACK")
		call.hangUpByAlice()
	})
}
