package b2bua

import (
	"fmt"
	"testing"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// strange gives every phone a trunk of its own, and makes one that is of none.
func (r *rig) strange() (mallory *simnet.Agent) {
	r.Helper()
	table, err := trunk.NewTable([]trunk.Trunk{
		{Name: "alice", Match: []string{"192.0.2.1"}}, {Name: "bob", Match: []string{"192.0.2.2"}},
	}, nil)
	r.check(err)
	r.check(r.server.Apply(Settings{Trunks: table}))
	mallory = r.agent("192.0.2.66:5060")
	r.Cleanup(mallory.Close)
	return mallory
}

// forgeries are what a stranger can get wrong in a request or a response, by
// name; nil is the address that it comes from.
func forgeries() map[string]func(*message.Message) {
	return map[string]func(*message.Message){
		"with a wrong From tag": func(m *message.Message) { m.Set("From", message.WithTag(m.Get("From"), "forged")) },
		"with a wrong To tag":   func(m *message.Message) { m.Set("To", message.WithTag(m.Get("To"), "forged")) },
		"with a wrong Call-ID":  func(m *message.Message) { m.Set("Call-ID", "forged@192.0.2.66") },
		"from elsewhere":        nil,
	}
}

// forge sends a request that looks like the next of a phone's.
func (r *rig) forge(mallory, of *simnet.Agent, d *dialog.Dialog, method string, forged func(*message.Message)) {
	r.Helper()
	m := of.In(d, method, d.LocalSeq+1)
	from := mallory
	if forged != nil {
		from = of
		forged(m)
	}
	if method == "INVITE" || method == "UPDATE" {
		withSDP(m)
	}
	if method == "REFER" {
		m.Set("Refer-To", "<sip:mallory@192.0.2.66>")
	}
	if method == "PRACK" {
		m.Set("RAck", "1 1 INVITE")
	}
	_, err := from.Send(m, sbc)
	r.check(err)
	r.wait(from, "481 "+method)
}

// crosses proves that a dialog is as it was: its next request goes through.
func (r *rig) crosses(from *simnet.Agent, d *dialog.Dialog, to *simnet.Agent) {
	r.Helper()
	r.say(from, d, "INFO", nil)
	r.wait(to, "INFO").Reply(200, nil)
	r.wait(from, "200 INFO")
	if left := to.Waiting(); left != "" {
		r.Errorf("%s crossed", left)
	}
}

func TestAForgedRequestChangesNothingInATalk(t *testing.T) {
	for name, forged := range forgeries() {
		for _, method := range []string{"BYE", "UPDATE", "INFO", "INVITE", "REFER", "PRACK", "NOTIFY"} {
			t.Run(method+" "+name, func(t *testing.T) {
				play(t, &fixed{invite: toBob}, func(r *rig) {
					mallory := r.strange()
					call := r.answered()
					r.forge(mallory, r.alice, call.alice, method, forged)
					r.crosses(r.alice, call.alice, r.bob)
					r.forge(mallory, r.bob, call.bob, method, forged)
					r.crosses(r.bob, call.bob, r.alice)
					call.hangUpByAlice()
					if rec := r.record(); rec.HungUpBy != "caller" || rec.Code != 200 {
						r.Errorf("record %+v", rec)
					}
				})
			})
		}
	}
}

func TestAForgedRequestChangesNothingWhileItRings(t *testing.T) {
	for name, forged := range forgeries() {
		for _, method := range []string{"BYE", "UPDATE", "INFO", "REFER", "PRACK"} {
			t.Run(method+" "+name, func(t *testing.T) {
				play(t, &fixed{invite: toBob}, func(r *rig) {
					mallory := r.strange()
					d := r.dial(sdpOffer)
					in := r.wait(r.bob, "INVITE")
					sent := in.Reply(180, nil)
					ringing := r.wait(r.alice, "180")
					alice, bob := r.alice.Dialog(d.req, ringing.Message, false), r.bob.Dialog(in.Message, sent, true)
					r.forge(mallory, r.alice, alice, method, forged)
					r.crosses(r.alice, alice, r.bob)
					r.forge(mallory, r.bob, bob, method, forged)
					r.crosses(r.bob, bob, r.alice)
					in.Reply(486, nil)
					r.wait(r.alice, "486")
				})
			})
		}
	}
}

func TestAForgedCancelChangesNothing(t *testing.T) {
	for name, forged := range forgeries() {
		t.Run(name, func(t *testing.T) {
			play(t, &fixed{invite: toBob}, func(r *rig) {
				mallory := r.strange()
				d := r.dial(sdpOffer)
				in := r.wait(r.bob, "INVITE")
				in.Reply(180, nil)
				r.wait(r.alice, "180")
				m, err := message.Parse(d.client.Sent())
				r.check(err)
				m.Method, m.Body = "CANCEL", nil
				m.Set("CSeq", "1 CANCEL")
				from := mallory
				if forged != nil {
					from = r.alice
					forged(m)
				}
				r.check(from.SendRaw(m.Bytes(), sbc))
				if in, err := r.bob.Next(10*time.Second, "CANCEL"); err == nil {
					r.Errorf("%s crossed", in.Name())
				}
				in.Reply(486, nil)
				r.wait(r.alice, "486")
			})
		})
	}
}

func TestAForgedAnswerChangesNothing(t *testing.T) {
	for name, forged := range forgeries() {
		if name == "with a wrong To tag" {
			continue // the callee's to choose
		}
		for _, code := range []int{180, 200, 302, 486} {
			t.Run(fmt.Sprint(code, " ", name), func(t *testing.T) {
				play(t, &fixed{invite: toBob}, func(r *rig) {
					mallory := r.strange()
					r.dial(sdpOffer)
					in := r.wait(r.bob, "INVITE")
					res := in.Respond(code, "", "forged")
					res.Set("Contact", mallory.Contact())
					withSDP(res)
					from := mallory
					if forged != nil {
						from = r.bob
						forged(res)
					}
					r.check(from.SendRaw(res.Bytes(), sbc))
					time.Sleep(time.Second)
					if left := r.alice.Waiting() + r.bob.Waiting() + mallory.Waiting(); left != "" {
						r.Errorf("%s was sent", left)
					}
					in.Reply(486, nil)
					r.wait(r.alice, "486")
				})
			})
		}
	}
}

func TestAForgedAnswerToAReInviteChangesNothing(t *testing.T) {
	for name, forged := range forgeries() {
		t.Run(name, func(t *testing.T) {
			play(t, &fixed{invite: toBob}, func(r *rig) {
				mallory := r.strange()
				call := r.answered()
				r.say(r.alice, call.alice, "INVITE", withSDP)
				in := r.wait(r.bob, "INVITE")
				res := in.Respond(200, "", "")
				res.Set("Contact", mallory.Contact())
				withSDP(res)
				from := mallory
				if forged != nil {
					from = r.bob
					forged(res)
				}
				r.check(from.SendRaw(res.Bytes(), sbc))
				time.Sleep(time.Second)
				in.Reply(488, nil)
				r.wait(r.alice, "488")
				call.hangUpByAlice()
			})
		})
	}
}

func TestAForgedACKDoesNotStopTheRepeats(t *testing.T) {
	for name, forged := range forgeries() {
		t.Run(name, func(t *testing.T) {
			play(t, &fixed{invite: toBob}, func(r *rig) {
				mallory := r.strange()
				d := r.dial(sdpOffer)
				r.wait(r.bob, "INVITE").Reply(200, withSDP)
				ok := r.wait(r.alice, "200")
				dlg := r.alice.Dialog(d.req, ok.Message, false)
				ack := r.alice.In(dlg, "ACK", 1)
				from := mallory
				if forged != nil {
					from = r.alice
					forged(ack)
				}
				_, err := from.SendACK(ack, sbc)
				r.check(err)
				r.wait(r.alice, "200")
				r.wait(r.alice, "200")
				r.ack(dlg, 1, "")
				r.say(r.alice, dlg, "BYE", nil)
				r.wait(r.bob, "BYE").Reply(200, nil)
			})
		})
	}
}

func TestAForgedFurtherAnswerIsNotHungUp(t *testing.T) {
	for name, forged := range forgeries() {
		if name == "with a wrong To tag" {
			continue // another phone of the callee's: flow C10
		}
		t.Run(name, func(t *testing.T) {
			play(t, &fixed{invite: toBob}, func(r *rig) {
				mallory := r.strange()
				call := r.answered()
				res := call.atBob.Respond(200, "", "further")
				res.Set("Contact", mallory.Contact())
				from := mallory
				if forged != nil {
					from = r.bob
					forged(res)
				}
				r.check(from.SendRaw(res.Bytes(), sbc))
				time.Sleep(time.Second)
				if left := mallory.Waiting() + r.bob.Waiting(); left != "" {
					r.Errorf("%s was sent", left)
				}
				call.hangUpByAlice()
			})
		})
	}
}
