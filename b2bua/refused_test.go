package b2bua

import (
	"maps"
	"slices"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

func TestWhatIsRefusedBeforeACallIsCountedByReason(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		r.withUsers(nil)
		stranger := r.agent("198.51.100.7:5060")
		defer stranger.Close()
		for _, one := range []struct {
			want, reason string
			edit         func(*message.Message)
		}{
			{"401", "challenged", func(*message.Message) {}},
			{"400", "wrong_credentials", func(m *message.Message) { m.Set("Authorization", `Digest realm="legwork"`) }},
			{"416", "uri_scheme", func(m *message.Message) { m.URI = "http://sbc.example" }},
			{"483", "max_forwards", func(m *message.Message) { m.Set("Max-Forwards", "0") }},
			{"420", "extension", func(m *message.Message) { m.Set("Require", "magic") }},
			{"481", "no_dialog", func(m *message.Message) { m.Set("To", m.Get("To")+";tag=gone") }},
		} {
			before := r.server.Refused()
			invite := stranger.Invite("sip:bob@"+sbc, sdpOffer)
			one.edit(invite)
			_, err := stranger.Send(invite, sbc)
			r.check(err)
			r.wait(stranger, one.want)
			after := r.server.Refused()
			before[one.reason]++
			if !maps.Equal(before, after) {
				t.Errorf("%s: %v", one.reason, after)
			}
		}
	})
}

func TestAFullHouseIsCountedByTheLimitThatIsMet(t *testing.T) {
	for reason, limits := range map[string]Limits{"calls": {Calls: 1}, "cps": {CPS: 1}} {
		play(t, &fixed{invite: toBob}, func(r *rig) {
			settings := *r.server.settings()
			settings.Limits = limits
			r.check(r.server.Apply(settings))
			d := r.dial(sdpOffer)
			_, err := r.alice.Send(r.alice.Invite("sip:bob@"+sbc, sdpOffer), sbc)
			r.check(err)
			if res := r.wait(r.alice, "503"); res.Get("Retry-After") != "5" {
				t.Errorf("Retry-After %q", res.Get("Retry-After"))
			}
			if n := r.server.Refused()[reason]; n != 1 {
				t.Errorf("%s: %d", reason, n)
			}
			d.cancel("")
		})
	}
}

func TestEachReasonHasAName(t *testing.T) {
	names := slices.Collect(maps.Keys((&Server{}).Refused()))
	if slices.Contains(names, "") || len(names) != int(reasons)-1 {
		t.Errorf("%q", names)
	}
}

func TestARefusalIsToldAsItsTrunkWantsIt(t *testing.T) {
	to := func(code int, from ...string) trunk.Row {
		return trunk.Row{From: from, To: trunk.Mapped{Code: code, Reason: "Mapped", Q850: 34}}
	}
	told, err := trunk.NewResponseMap([]trunk.Row{to(480, "503"), to(484, "4xx"), to(488, "422", "401")})
	if err != nil {
		t.Fatal(err)
	}
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.neighbours(func(t *trunk.Trunk) { t.Responses, t.Limits, t.Q850.Add = told, trunk.Limits{Calls: 1}, true })
		d := r.dial(sdpOffer)
		refused := func(want string, edit func(*message.Message)) {
			t.Helper()
			req := r.alice.Invite("sip:bob@"+sbc, sdpOffer)
			edit(req)
			_, err := r.alice.Send(req, sbc)
			r.check(err)
			if res := r.wait(r.alice, want); (res.Q850() == 34) != (res.Reason == "Mapped") {
				t.Errorf("%s", res)
			}
		}
		refused("480", func(*message.Message) {}) // the trunk is full
		refused("484", func(m *message.Message) { m.Set("Max-Forwards", "0") })
		refused("422", func(m *message.Message) { m.Add("Session-Expires", "30"); m.Add("Supported", "timer") })
		refused("481", func(m *message.Message) { m.Set("To", m.Get("To")+";tag=gone") })
		d.cancel("")
	})
}
