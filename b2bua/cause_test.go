package b2bua

import (
	"strings"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/q850"
	"legwork/b2bua/trunk"
)

// finals are the failures that alice may get here.
var finals = []string{"404", "486", "500", "503", "600", "699"}

// withCauses gives trunks their Q850.
func (r *rig) withCauses(q map[string]trunk.Q850) {
	r.Helper()
	r.neighbours(func(t *trunk.Trunk) { t.Q850 = q[t.Name] })
}

func TestAFailureHasTheCauseThatItsNeighbourWants(t *testing.T) {
	for _, c := range []struct {
		code   int
		causes map[int]int
		reason string // of the callee
		want   int
	}{
		{code: 486, want: 17},
		{code: 486, causes: map[int]int{486: 21}, want: 21},
		{code: 404, reason: "Q.850;cause=2", want: 2},
		{code: 699, want: 17},
	} {
		play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
			r.withCauses(map[string]trunk.Q850{"alice": {Add: true, Causes: c.causes}})
			r.dial(sdpOffer)
			r.wait(r.bob, "INVITE").Reply(c.code, func(m *message.Message) {
				if c.reason != "" {
					m.Add("Reason", c.reason)
				}
			})
			in := r.wait(r.alice, finals...)
			if got := in.Message.Q850(); got != c.want || len(in.Message.All("Reason")) != 1 {
				t.Errorf("%d: cause %d, want %d: %q", c.code, got, c.want, in.Message.All("Reason"))
			}
		})
	}
}

func TestAFailureMadeHereHasACauseToo(t *testing.T) {
	play(t, &fixed{invite: toTrunk("nobody")}, func(r *rig) {
		r.withCauses(map[string]trunk.Q850{"alice": {Add: true}})
		r.dial(sdpOffer)
		in := r.wait(r.alice, finals...)
		if want, _ := q850.FromSIP(in.Message.Status); in.Message.Q850() != want {
			t.Errorf("%d: cause %d, want %d", in.Message.Status, in.Message.Q850(), want)
		}
	})
}

func TestGoodbyesHaveTheCauseThatTheirNeighbourWants(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.withCauses(map[string]trunk.Q850{"bob": {Add: true}})
		c := r.answered()
		r.say(r.alice, c.alice, "BYE", func(m *message.Message) { m.Add("Reason", `SIP;cause=480;text="Gone"`) })
		r.wait(r.alice, "200 BYE")
		bye := r.wait(r.bob, "BYE")
		if got := bye.Message.Q850(); got != 18 || bye.Message.SIPCause() != 480 {
			t.Errorf("cause %d: %q", got, bye.Message.All("Reason"))
		}
		bye.Reply(200, nil)
	})
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.withCauses(map[string]trunk.Q850{"alice": {Add: true}, "bob": {Add: true}})
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		in.Reply(180, nil)
		r.wait(r.alice, "180")
		d.cancel(`SIP;cause=200;text="Call completed elsewhere"`)
		cancel := r.wait(r.bob, "CANCEL")
		if got := cancel.Message.Q850(); got != answeredElsewhere {
			t.Errorf("CANCEL has cause %d: %q", got, cancel.Message.All("Reason"))
		}
		in.Reply(487, nil)
		if ended := r.wait(r.alice, "487"); ended.Message.Q850() != normalClearing {
			t.Errorf("487 has cause %d", ended.Message.Q850())
		}
	})
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) { // who does not want any gets none
		r.withCauses(nil)
		c := r.answered()
		r.say(r.alice, c.alice, "BYE", nil)
		r.wait(r.alice, "200 BYE")
		bye := r.wait(r.bob, "BYE")
		if all := bye.Message.All("Reason"); len(all) != 0 {
			t.Errorf("%q", all)
		}
		bye.Reply(200, nil)
	})
}

func TestAFailureTakesTheCodeThatItsCauseStandsFor(t *testing.T) {
	for _, c := range []struct {
		q850   trunk.Q850
		reason string
		want   int
	}{
		{trunk.Q850{Read: true}, "Q.850;cause=17", 486},
		{trunk.Q850{Read: true, Codes: map[int]int{17: 600}}, "Q.850;cause=17", 600},
		{trunk.Q850{Read: true}, "", 500},
		{trunk.Q850{Read: true}, "Q.850;cause=16", 500},
		{trunk.Q850{}, "Q.850;cause=17", 500},
	} {
		play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
			r.withCauses(map[string]trunk.Q850{"bob": c.q850})
			r.dial(sdpOffer)
			r.wait(r.bob, "INVITE").Reply(500, func(m *message.Message) {
				if c.reason != "" {
					m.Add("Reason", c.reason)
				}
			})
			in := r.wait(r.alice, finals...)
			if in.Message.Status != c.want || !strings.EqualFold(in.Message.Reason, message.ReasonPhrase(c.want)) {
				t.Errorf("%+v, %q: %d %s, want %d", c.q850, c.reason, in.Message.Status, in.Message.Reason, c.want)
			}
		})
	}
}
