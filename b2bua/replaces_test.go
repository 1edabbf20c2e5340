package b2bua

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// connected is a call that was answered.
type connected struct {
	caller, callee *dialog.Dialog
	in             *message.Message // the callee's INVITE
}

func hostOf(a *simnet.Agent) string { return a.Addr.Addr().String() }

// connect plays a call from one agent to another up to the ACK.
func (r *rig) connect(from, to *simnet.Agent, user string) *connected {
	r.Helper()
	req := from.Invite("sip:"+user+"@"+sbc, sdpAt(hostOf(from)))
	_, err := from.Send(req, sbc)
	r.check(err)
	in := r.wait(to, "INVITE")
	sent := in.Reply(200, answerAt(hostOf(to)))
	ok := r.wait(from, "200")
	c := &connected{from.Dialog(req, ok.Message, false), to.Dialog(in.Message, sent, true), in.Message}
	_, err = from.SendACK(from.In(c.caller, "ACK", 1), sbc)
	r.check(err)
	r.wait(to, "ACK")
	return c
}

// named is a dialog as its own side names it to others: they are to replace it
// at the other end.
func named(d *dialog.Dialog) string {
	return d.CallID + ";to-tag=" + d.Remote + ";from-tag=" + d.Local
}

// referTo is a Refer-To with a Replaces.
func referTo(uri string, d *dialog.Dialog) string {
	return "<" + uri + "?Replaces=" + url.QueryEscape(named(d)) + ">"
}

// replace sends an INVITE with a Replaces and returns it.
func (r *rig) replace(from *simnet.Agent, uri, value string) *message.Message {
	r.Helper()
	req := from.Invite(uri, sdpAt(hostOf(from)))
	req.Set("Replaces", value)
	req.Set("Require", "replaces")
	_, err := from.Send(req, sbc)
	r.check(err)
	return req
}

// hangUp ends a call from one side.
func (r *rig) hangUp(a *simnet.Agent, d *dialog.Dialog, other *simnet.Agent) {
	r.Helper()
	r.say(a, d, "BYE", nil)
	r.wait(a, "200 BYE")
	r.wait(other, "BYE").Reply(200, nil)
}

func TestAnAttendedTransferJoinsTwoCalls(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		first := r.connect(r.alice, r.bob, "bob")
		second := r.connect(r.bob, r.carol, "carol")
		r.refer(r.bob, first.callee, referTo("sip:carol@"+sbc, second.caller), nil)
		r.wait(r.bob, "202 REFER")
		again := r.takesOver(r.alice, "192.0.2.1")
		if !strings.Contains(string(again.Body), "c=IN IP4 192.0.2.3") {
			r.Errorf("alice was offered %s", again.Body)
		}
		in := r.wait(r.carol, "INVITE")
		if in.CallID() != second.callee.CallID || !strings.Contains(string(in.Body), "c=IN IP4 192.0.2.1\r\n") || !strings.HasPrefix(origin(in.Message), "- 72 6 ") {
			r.Errorf("carol was offered %s", in)
		}
		in.Reply(200, answerAt("192.0.2.3"))
		r.wait(r.carol, "ACK")
		bye := r.wait(r.bob, "BYE")
		bye.Reply(200, nil)
		if bye.CallID() != second.caller.CallID {
			r.Error("the wrong leg of the referrer was hung up")
		}
		r.notified(r.bob, "200")
		r.say(r.bob, first.callee, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		r.say(r.carol, second.callee, "INFO", nil)
		r.wait(r.alice, "INFO").Reply(200, nil)
		r.wait(r.carol, "200 INFO")
		r.hangUp(r.alice, first.caller, r.carol)
	})
}

func TestACallerJoinsItsTwoCallees(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		first := r.connect(r.alice, r.bob, "bob")
		second := r.connect(r.alice, r.carol, "carol")
		r.refer(r.alice, first.caller, referTo("sip:"+sbc, second.caller), nil)
		r.wait(r.alice, "202 REFER")
		r.takesOver(r.bob, "192.0.2.2")
		r.takesOver(r.carol, "192.0.2.3")
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.notified(r.alice, "200")
		r.wait(r.alice, "BYE").Reply(200, nil) // of the first call, since she does not
		r.hangUp(r.bob, first.callee, r.carol)
		time.Sleep(time.Minute)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.records) != 2 || r.records[0].HungUpBy != "caller" || r.records[1].HungUpBy != "callee" || r.records[1].Target != "sip:carol@192.0.2.3:5060" {
			r.Errorf("records %+v and %+v", r.records[0], r.records[1])
		}
	})
}

func TestAJoinThatTheSurvivorRefusesLeavesBothCalls(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		first := r.connect(r.alice, r.bob, "bob")
		second := r.connect(r.bob, r.carol, "carol")
		r.refer(r.bob, first.callee, referTo("sip:carol@"+sbc, second.caller), nil)
		r.wait(r.alice, "INVITE").Reply(488, nil)
		r.notified(r.bob, "488")
		r.hangUp(r.alice, first.caller, r.bob)
		r.hangUp(r.bob, second.caller, r.carol)
	})
}

func TestAJoinWhoseOtherCallHasEndedGoesBack(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		first := r.connect(r.alice, r.bob, "bob")
		second := r.connect(r.bob, r.carol, "carol")
		r.refer(r.bob, first.callee, referTo("sip:carol@"+sbc, second.caller), nil)
		in := r.wait(r.alice, "INVITE")
		r.hangUp(r.carol, second.callee, r.bob)
		in.Reply(200, answerAt("192.0.2.1"))
		r.wait(r.alice, "ACK")
		r.notified(r.bob, "481")
		back := r.takesOver(r.alice, "192.0.2.1")
		if !strings.Contains(string(back.Body), "c=IN IP4 192.0.2.2") {
			r.Errorf("offered %s", back.Body)
		}
		r.hangUp(r.alice, first.caller, r.bob)
	})
}

func TestAReplacesOfAStrangersDialogGoesToTheTarget(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.answered()
		r.refer(r.bob, call.bob, `<sip:carol@192.0.2.10?Replaces=far%40b.example%3Bto-tag%3D1%3Bfrom-tag%3D2>`, nil)
		in := r.wait(r.carol, "INVITE")
		if in.Get("Replaces") != "far@b.example;to-tag=1;from-tag=2" || in.Get("Require") != "replaces" {
			r.Errorf("INVITE to the target: %s", in)
		}
		in.Reply(486, nil)
		r.notified(r.bob, "486")
		call.hangUpByAlice()
	})
}

// passing routes as byUser, but lets REFER and Replaces cross.
func passing(ctx context.Context, v View) Decided {
	d := byUser(ctx, v)
	if route, ok := d.Decision.(Route); ok {
		route.Refer = PassRefer
		d.Decision = route
	}
	return d
}

func TestAPassedReferNamesTheDialogThatItsReaderWillReplace(t *testing.T) {
	play(t, &fixed{invite: passing}, func(r *rig) {
		first := r.connect(r.alice, r.bob, "bob")
		second := r.connect(r.alice, r.carol, "carol")
		r.refer(r.alice, first.caller, referTo(second.caller.Target, second.caller), nil)
		in := r.wait(r.bob, "REFER")
		in.Reply(202, nil)
		r.wait(r.alice, "202 REFER")
		to, err := in.ReferTo()
		r.check(err)
		d := second.callee
		if to.URI != "sip:192.0.2.3:5060" || to.Replaces == nil || to.Replaces.String() != d.CallID+";to-tag="+d.Local+";from-tag="+d.Remote {
			r.Errorf("Refer-To %s", to)
		}
		// Bob's way to carol leads through us again: to her it is the same dialog.
		req := r.replace(r.bob, "sip:carol@"+sbc, to.Replaces.String())
		at := r.wait(r.carol, "INVITE")
		if at.Get("Replaces") != to.Replaces.String() || at.Get("Require") != "replaces" {
			r.Errorf("INVITE to carol: %s", at)
		}
		sent := at.Reply(200, answerAt("192.0.2.3"))
		ok := r.wait(r.bob, "200")
		bob := r.bob.Dialog(req, ok.Message, false)
		_, err = r.bob.SendACK(r.bob.In(bob, "ACK", 1), sbc)
		r.check(err)
		r.wait(r.carol, "ACK")
		r.hangUp(r.carol, second.callee, r.alice)
		r.hangUp(r.alice, first.caller, r.bob)
		r.hangUp(r.carol, r.carol.Dialog(at.Message, sent, true), r.bob)
	})
}

func TestAReplacesCrossesAsTheCalleeKnowsTheDialog(t *testing.T) {
	play(t, &fixed{invite: passing}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		r.replace(r.carol, "sip:bob@"+sbc, named(call.caller))
		in := r.wait(r.bob, "INVITE")
		if !in.HasToken("Require", "replaces") {
			r.Errorf("Require %q", in.Get("Require"))
		}
		d := call.callee
		if want := d.CallID + ";to-tag=" + d.Local + ";from-tag=" + d.Remote; in.Get("Replaces") != want {
			r.Errorf("Replaces %q, want %q", in.Get("Replaces"), want)
		}
		in.Reply(486, nil)
		r.wait(r.carol, "486")
		r.hangUp(r.alice, call.caller, r.bob)
	})
}

func TestARingingCallIsPickedUp(t *testing.T) {
	play(t, &fixed{invite: passing}, func(r *rig) {
		d := r.dial(sdpOffer)
		in := r.wait(r.bob, "INVITE")
		ringing := in.Reply(180, nil)
		at := r.wait(r.alice, "180")
		// Carol knows of bob's phone what it knows itself.
		early := in.CallID() + ";to-tag=" + in.FromTag() + ";from-tag=" + ringing.ToTag() + ";early-only"
		req := r.carol.Invite("sip:alice@"+sbc, sdpAt("192.0.2.3"))
		req.Set("Replaces", early)
		_, err := r.carol.Send(req, sbc)
		r.check(err)
		pickup := r.wait(r.alice, "INVITE")
		if pickup.HasToken("Require", "replaces") {
			r.Error("Replaces is required though the caller does not")
		}
		if want := d.req.CallID() + ";to-tag=" + d.req.FromTag() + ";from-tag=" + at.ToTag() + ";early-only"; pickup.Get("Replaces") != want {
			r.Errorf("Replaces %q, want %q", pickup.Get("Replaces"), want)
		}
		pickup.Reply(486, nil)
		r.wait(r.carol, "486")
		d.cancel("")
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
		r.wait(r.alice, "487")
	})
}

func TestAReplacesThatNamesNoDialogToReplaceIsRefused(t *testing.T) {
	play(t, &fixed{invite: passing}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		d := call.caller
		for value, code := range map[string]string{
			"nonsense": "400", named(d) + ";early-only": "486", "a;to-tag=1;from-tag=2": "481",
			d.CallID + ";to-tag=" + d.Remote + ";from-tag=x": "481", d.CallID + ";to-tag=x;from-tag=" + d.Local: "481",
		} {
			r.replace(r.carol, "sip:bob@"+sbc, value)
			r.wait(r.carol, code)
		}
		twice := r.carol.Invite("sip:bob@"+sbc, sdpOffer)
		twice.Add("Replaces", named(d))
		twice.Add("Replaces", named(d))
		_, err := r.carol.Send(twice, sbc)
		r.check(err)
		r.wait(r.carol, "400")
		r.say(r.alice, d, "BYE", nil)
		bye := r.wait(r.bob, "BYE")
		r.replace(r.carol, "sip:bob@"+sbc, named(d))
		r.wait(r.carol, "603")
		bye.Reply(200, nil)
	})
}

func TestACallerTakesOver(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		req := r.replace(r.carol, "sip:bob@"+sbc, named(call.caller))
		again := r.takesOver(r.bob, "192.0.2.2")
		if again.CallID() != call.callee.CallID || !strings.Contains(string(again.Body), "c=IN IP4 192.0.2.3") || !strings.HasPrefix(origin(again), "- 71 6 ") {
			r.Errorf("bob was offered %s", again)
		}
		ok := r.wait(r.carol, "200")
		if !strings.Contains(string(ok.Body), "c=IN IP4 192.0.2.2") {
			r.Errorf("carol was answered %s", ok)
		}
		carol := r.carol.Dialog(req, ok.Message, false)
		_, err := r.carol.SendACK(r.carol.In(carol, "ACK", 1), sbc)
		r.check(err)
		r.wait(r.alice, "BYE").Reply(200, nil)
		r.say(r.bob, call.callee, "INFO", nil)
		r.wait(r.carol, "INFO").Reply(200, nil)
		r.wait(r.bob, "200 INFO")
		r.hangUp(r.carol, carol, r.bob)
	})
}

func TestATakeoverThatTheOtherPartyRefusesLeavesTheCall(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		r.replace(r.carol, "sip:bob@"+sbc, named(call.caller))
		r.wait(r.bob, "INVITE").Reply(488, nil)
		r.wait(r.carol, "488")
		r.hangUp(r.alice, call.caller, r.bob)
	})
}

func TestATakeoverWhoseReplacedHangsUpGoesOn(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		req := r.replace(r.carol, "sip:bob@"+sbc, named(call.caller))
		in := r.wait(r.bob, "INVITE")
		r.say(r.alice, call.caller, "BYE", nil)
		r.wait(r.alice, "200 BYE")
		in.Reply(200, answerAt("192.0.2.2"))
		ok := r.wait(r.carol, "200")
		carol := r.carol.Dialog(req, ok.Message, false)
		_, err := r.carol.SendACK(r.carol.In(carol, "ACK", 1), sbc)
		r.check(err)
		r.hangUp(r.bob, call.callee, r.carol)
	})
}

func TestATakeoverThatItsCallerCancelsLeavesTheCall(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		req := r.carol.Invite("sip:bob@"+sbc, sdpAt(hostOf(r.carol)))
		req.Set("Replaces", named(call.caller))
		client, err := r.carol.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		client.Cancel("")
		r.wait(r.carol, "487")
		in.Reply(200, answerAt("192.0.2.2"))
		r.wait(r.bob, "ACK")
		back := r.takesOver(r.bob, "192.0.2.2")
		if !strings.Contains(string(back.Body), "c=IN IP4 192.0.2.1") {
			r.Errorf("bob was offered %s", back)
		}
		r.hangUp(r.alice, call.caller, r.bob)
	})
}

func TestATakeoverOfSomebodyWhoHangsUpFails(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		r.replace(r.carol, "sip:bob@"+sbc, named(call.caller))
		in := r.wait(r.bob, "INVITE")
		r.say(r.bob, call.callee, "BYE", nil)
		r.wait(r.bob, "200 BYE")
		in.Reply(487, nil)
		r.wait(r.carol, "481")
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}

func TestTheScriptMayForbidATakeover(t *testing.T) {
	forbid := func(ctx context.Context, v View) Decided {
		if v.Request.Get("Replaces") != "" {
			return Decided{Decision: Reject{Code: 403}}
		}
		return byUser(ctx, v)
	}
	play(t, &fixed{invite: forbid}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		r.replace(r.carol, "sip:bob@"+sbc, named(call.caller))
		r.wait(r.carol, "403")
		r.hangUp(r.alice, call.caller, r.bob)
	})
}

func TestAJoinWaitsForAReInviteOfTheOtherCall(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		first := r.connect(r.alice, r.bob, "bob")
		second := r.connect(r.bob, r.carol, "carol")
		r.say(r.carol, second.callee, "INVITE", answerAt("192.0.2.3"))
		in := r.wait(r.bob, "INVITE")
		r.refer(r.bob, first.callee, referTo("sip:carol@"+sbc, second.caller), nil)
		r.takesOver(r.alice, "192.0.2.1")
		if _, err := r.bob.Next(3*time.Second, "BYE"); err == nil {
			r.Error("the other call was ended within its re-INVITE")
		}
		in.Reply(200, answerAt("192.0.2.2"))
		r.wait(r.carol, "200")
		_, err := r.carol.SendACK(r.carol.In(second.callee, "ACK", second.callee.LocalSeq), sbc)
		r.check(err)
		r.takesOver(r.carol, "192.0.2.3")
		r.notified(r.bob, "200")
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.hangUp(r.alice, first.caller, r.carol)
	})
}

func TestCallsOfDifferentStreamsAreJoined(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		first := r.connect(r.alice, r.bob, "bob")
		video := "m=video 4002 RTP/AVP 31\r\n"
		r.say(r.alice, first.caller, "INVITE", func(m *message.Message) { putSDP(m, []byte(sdpAt("192.0.2.1")+video)) })
		r.wait(r.bob, "INVITE").Reply(200, func(m *message.Message) { putSDP(m, []byte(sdpAt("192.0.2.2")+video)) })
		r.wait(r.alice, "200")
		r.ack(first.caller, first.caller.LocalSeq, "")
		r.wait(r.bob, "ACK")
		second := r.connect(r.bob, r.carol, "carol")
		r.refer(r.bob, first.callee, referTo("sip:carol@"+sbc, second.caller), nil)
		in := r.wait(r.alice, "INVITE")
		if !strings.HasSuffix(string(in.Body), "m=video 0 RTP/AVP 31\r\n") {
			r.Errorf("alice was offered %s", in.Body)
		}
		in.Reply(200, func(m *message.Message) { putSDP(m, []byte(sdpAt("192.0.2.1")+"m=video 0 RTP/AVP 31\r\n")) })
		at := r.wait(r.carol, "INVITE")
		at.Reply(200, func(m *message.Message) { putSDP(m, []byte(sdpAt("192.0.2.3")+"m=video 0 RTP/AVP 31\r\n")) })
		if !strings.Contains(string(at.Body), "m=video 0 RTP/AVP 31") {
			r.Errorf("carol was offered %s", at.Body)
		}
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.notified(r.bob, "200")
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.hangUp(r.alice, first.caller, r.carol)
	})
}

func TestATakeoverNeedsNoRoute(t *testing.T) {
	quiet := func(ctx context.Context, v View) Decided {
		if v.Request.Get("Replaces") != "" {
			return Decided{}
		}
		return byUser(ctx, v)
	}
	play(t, &fixed{invite: quiet}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		req := r.replace(r.carol, "sip:bob@"+sbc, named(call.callee)[:len(call.callee.CallID)]+";to-tag="+call.callee.Remote+";from-tag="+call.callee.Local)
		// Bob's own name of his dialog: it is he who is replaced.
		again := r.takesOver(r.alice, "192.0.2.1")
		if again.CallID() != call.caller.CallID {
			r.Errorf("re-INVITE %s", again)
		}
		ok := r.wait(r.carol, "200")
		carol := r.carol.Dialog(req, ok.Message, false)
		_, err := r.carol.SendACK(r.carol.In(carol, "ACK", 1), sbc)
		r.check(err)
		r.wait(r.bob, "BYE").Reply(200, nil)
		r.hangUp(r.alice, call.caller, r.carol)
	})
}

func TestOnlyOneOfTwoTakesOver(t *testing.T) {
	play(t, &fixed{invite: byUser}, func(r *rig) {
		call := r.connect(r.alice, r.bob, "bob")
		r.replace(r.carol, "sip:bob@"+sbc, named(call.caller))
		in := r.wait(r.bob, "INVITE")
		dave := r.agent("192.0.2.4:5060")
		defer dave.Close()
		r.replace(dave, "sip:bob@"+sbc, named(call.caller))
		r.wait(dave, "491")
		in.Reply(488, nil)
		r.wait(r.carol, "488")
		r.hangUp(r.alice, call.caller, r.bob)
		time.Sleep(time.Minute)
	})
}
