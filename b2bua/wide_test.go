package b2bua

import (
	"context"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// long makes an INVITE too long for a datagram.
func long(m *message.Message) {
	m.Body = []byte(sdpOffer + "a=x:" + strings.Repeat("x", 1300) + "\r\n")
}

func TestALongRequestGoesOverTCPWhereItMay(t *testing.T) {
	for target, want := range map[string]string{
		"192.0.2.2:5060":               "SIP/2.0/TCP",
		"192.0.2.2:5060;transport=udp": "SIP/2.0/UDP",
	} {
		t.Run(target, func(t *testing.T) {
			play(t, &fixed{invite: func(context.Context, View) Decided { return routeTo(target) }}, func(r *rig) {
				stream, err := simnet.NewAgent(r.network, "tcp", "192.0.2.2:5060")
				r.check(err)
				defer stream.Close()
				r.dialWith(sdpOffer, long)
				at := map[string]*simnet.Agent{"SIP/2.0/TCP": stream, "SIP/2.0/UDP": r.bob}[want]
				in := r.wait(at, "INVITE")
				if !strings.HasPrefix(in.Get("Via"), want+" "+sbc+";") || contactOf(in.Message) != "sip:"+sbc {
					t.Errorf("Via %s, Contact %s", in.Get("Via"), contactOf(in.Message))
				}
				in.Reply(486, nil)
				r.wait(r.alice, "486")
			})
		})
	}
}

func TestALongRequestGoesOverUDPWhereNobodyTakesTCP(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		for range 2 {
			before := time.Now()
			r.dialWith(sdpOffer, long)
			in := r.wait(r.bob, "INVITE")
			if !strings.HasPrefix(in.Get("Via"), "SIP/2.0/UDP ") || time.Since(before) != 0 {
				t.Errorf("Via %s after %s", in.Get("Via"), time.Since(before))
			}
			in.Reply(486, nil)
			r.wait(r.alice, "486")
		}
		r.never(r.bob, "INVITE")
	})
}

func TestALongRequestThatWasMovedCanBeCancelled(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		stream, err := simnet.NewAgent(r.network, "tcp", "192.0.2.2:5060")
		r.check(err)
		defer stream.Close()
		d := r.dialWith(sdpOffer, long)
		r.wait(stream, "INVITE").Reply(180, nil)
		r.wait(r.alice, "180")
		d.cancel("")
		r.wait(stream, "CANCEL")
		r.wait(r.alice, "487")
	})
}
