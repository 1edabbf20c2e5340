package b2bua

import (
	"context"
	"strings"
	"testing"

	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
)

func TestAnIPv4CallerReachesAnIPv6Callee(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			to := func(context.Context, View) Decided { return routeTo("[2001:db8::2]:5060;transport=" + network) }
			play(t, &fixed{invite: to}, func(r *rig) {
				_, err := r.server.Listen(transport.ListenerConfig{Name: "six", Network: network, Address: "[2001:db8::10]:5060"})
				r.check(err)
				six, err := simnet.NewAgent(r.network, network, "[2001:db8::2]:5060")
				r.check(err)
				defer six.Close()
				d := r.dial(sdpOffer)
				in := r.wait(six, "INVITE")
				contact := "sip:[2001:db8::10]:5060"
				if network == "tcp" {
					contact += ";transport=tcp"
				}
				if got := contactOf(in.Message); got != contact || !strings.HasPrefix(in.Get("Via"), "SIP/2.0/"+strings.ToUpper(network)+" [2001:db8::10]:5060;") {
					t.Errorf("Contact %s, Via %s", got, in.Get("Via"))
				}
				if string(in.Body) != sdpOffer {
					t.Errorf("the offer has become\n%s", in.Body)
				}
				sent := in.Reply(200, withSDP)
				ok := r.wait(r.alice, "200")
				if got := contactOf(ok.Message); got != "sip:"+sbc {
					t.Errorf("to the caller: Contact %s", got)
				}
				r.ack(r.alice.Dialog(d.req, ok.Message, false), 1, "")
				r.wait(six, "ACK")
				dialog := six.Dialog(in.Message, sent, true)
				_, err = six.Send(six.In(dialog, "BYE", dialog.Next()), "[2001:db8::10]:5060")
				r.check(err)
				r.wait(r.alice, "BYE").Reply(200, nil)
				r.wait(six, "200 BYE")
			})
		})
	}
}
