package b2bua

import (
	"testing"

	"legwork/b2bua/message"
)

func TestAStrangerIsRefusedOnceAndForgotten(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		stranger := r.agent("198.51.100.7:5060")
		defer stranger.Close()
		for want, edit := range map[string]func(*message.Message){
			"403": func(*message.Message) {},
			"416": func(m *message.Message) { m.URI = "http://sbc.example" },
		} {
			invite := stranger.Invite("sip:bob@"+sbc, sdpOffer)
			edit(invite)
			invite.Headers = append([]message.Header{{Name: "Via", Value: "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK" + want}}, invite.Headers...)
			r.check(stranger.SendRaw(invite.Bytes(), sbc))
			first := r.wait(stranger, want)
			r.never(stranger, want) // it was not asked for again
			if n := r.server.Counters().Servers; n != 0 {
				t.Errorf("%s: %d transactions are kept", want, n)
			}
			r.check(stranger.SendRaw(invite.Bytes(), sbc))
			if again := r.wait(stranger, want); again.ToTag() != first.ToTag() || first.ToTag() == "" {
				t.Errorf("%s: tag %q, then %q", want, first.ToTag(), again.ToTag())
			}
		}
		r.never(r.bob, "INVITE")
	})
}
