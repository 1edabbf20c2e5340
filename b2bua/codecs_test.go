package b2bua

import (
	"context"
	"strings"
	"testing"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

// payloads are those of the streams in a message's SDP, one text per m= line.
func payloads(m *message.Message) string {
	var all []string
	for line := range strings.SplitSeq(string(m.Body), "\r\n") {
		if f := strings.Fields(line); strings.HasPrefix(line, "m=") {
			all = append(all, strings.Join(append([]string{f[1]}, f[3:]...), " "))
		}
	}
	return strings.Join(all, ", ")
}

// sdpWith is a session with an audio stream of these payload types.
func sdpWith(formats string) string {
	return "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP " + formats + "\r\n" +
		"a=rtpmap:101 telephone-event/8000\r\n"
}

func answering(formats string) func(*message.Message) {
	return func(m *message.Message) {
		m.Set("Content-Type", "application/sdp")
		m.Body = []byte(sdpWith(formats))
	}
}

// speaking gives trunks codecs.
func (r *rig) speaking(codecs map[string]trunk.Codecs) {
	r.Helper()
	r.neighbours(func(t *trunk.Trunk) { t.Codecs = codecs[t.Name] })
}

func (r *rig) expect(in *simnet.Incoming, want string) {
	r.Helper()
	if got := payloads(in.Message); got != want {
		r.Errorf("%s has %q, want %q", in.Name(), got, want)
	}
}

func TestATrunksCodecsHoldInEveryOfferAndAnswer(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.speaking(map[string]trunk.Codecs{
			"alice": {Drop: []string{"G729"}},
			"bob":   {Keep: []string{"PCMA", "PCMU", "G729", "telephone-event"}, Prefer: []string{"PCMA"}},
		})
		d := r.dial(sdpWith("9 0 18 8 101"))
		in := r.wait(r.bob, "INVITE")
		r.expect(in, "4000 8 0 101")
		in.Reply(183, answering("0 8 9 101"))
		early := r.wait(r.alice, "183")
		r.expect(early, "4000 8 0 101")
		sent := in.Reply(200, answering("0 8 9 101"))
		ok := r.wait(r.alice, "200")
		r.expect(ok, "4000 8 0 101")
		alice, bob := r.alice.Dialog(d.req, ok.Message, false), r.bob.Dialog(in.Message, sent, true)
		r.ack(alice, 1, "")
		r.wait(r.bob, "ACK")

		r.say(r.bob, bob, "INVITE", answering("18 9 0 101"))
		again := r.wait(r.alice, "INVITE")
		r.expect(again, "4000 0 101")
		again.Reply(200, answering("0 9 101"))
		back := r.wait(r.bob, "200 INVITE")
		r.expect(back, "4000 0 101")
		ack := r.bob.In(bob, "ACK", bob.LocalSeq)
		_, err := r.bob.SendACK(ack, sbc)
		r.check(err)
		r.wait(r.alice, "ACK")

		r.say(r.alice, alice, "UPDATE", answering("9 0 8 101"))
		update := r.wait(r.bob, "UPDATE")
		r.expect(update, "4000 8 0 101")
		update.Reply(200, answering("8 101"))
		r.wait(r.alice, "200 UPDATE")
		r.say(r.alice, alice, "BYE", nil)
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
}

func TestAnOfferOfWhichNoCodecIsLeftGets488(t *testing.T) {
	only := map[string]trunk.Codecs{"bob": {Keep: []string{"G722"}}}
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.speaking(only)
		r.dial(sdpOffer)
		r.wait(r.alice, "488")
		r.never(r.bob, "INVITE")
	})
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) { // a re-INVITE, of a call that goes on
		r.speaking(map[string]trunk.Codecs{"bob": {Keep: []string{"PCMU", "PCMA"}}})
		c := r.answered()
		r.say(r.alice, c.alice, "INVITE", answering("9"))
		r.wait(r.alice, "488 INVITE")
		r.say(r.alice, c.alice, "INVITE", answering("9 8"))
		in := r.wait(r.bob, "INVITE")
		r.expect(in, "4000 8")
		in.Reply(200, answering("8"))
		r.wait(r.alice, "200 INVITE")
		r.ack(c.alice, c.alice.LocalSeq, "")
		c.hangUpByAlice()
	})
}

func TestALateOfferOfWhichNoCodecIsLeftIsHungUp(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.speaking(map[string]trunk.Codecs{"alice": {Keep: []string{"G722"}}})
		r.dial("")
		r.wait(r.bob, "INVITE").Reply(200, withSDP)
		r.wait(r.alice, "488")
		r.wait(r.bob, "ACK")
		r.wait(r.bob, "BYE").Reply(200, nil)
	})
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.speaking(map[string]trunk.Codecs{"alice": {Keep: []string{"PCMA"}}})
		d := r.dial("")
		in := r.wait(r.bob, "INVITE")
		sent := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200")
		r.expect(ok, "4000 8")
		alice := r.alice.Dialog(d.req, ok.Message, false)
		r.ack(alice, 1, sdpWith("8 9"))
		ack := r.wait(r.bob, "ACK")
		r.expect(ack, "4000 8")
		bob := r.bob.Dialog(in.Message, sent, true)
		r.say(r.bob, bob, "BYE", nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}

func TestTheOfferOfAReliable1xxOfWhichNoCodecIsLeftIsRefused(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.speaking(map[string]trunk.Codecs{"alice": {Keep: []string{"G722"}}})
		req := r.alice.Invite("sip:bob@"+sbc, "")
		req.Add("Supported", "100rel")
		_, err := r.alice.Send(req, sbc)
		r.check(err)
		in := r.wait(r.bob, "INVITE")
		in.Reply(183, func(m *message.Message) {
			withSDP(m)
			m.Set("Require", "100rel")
			m.Set("RSeq", "1")
		})
		r.wait(r.bob, "CANCEL")
		in.Reply(487, nil)
		r.wait(r.alice, "488")
	})
}

func TestAStreamWithNoneOfTheCodecsIsRemovedFromAnOffer(t *testing.T) {
	play(t, &fixed{invite: toTrunk("bob")}, func(r *rig) {
		r.speaking(map[string]trunk.Codecs{"bob": {Keep: []string{"PCMA"}}})
		r.dial(sdpWith("8 0") + "m=video 4002 RTP/AVP 34\r\n")
		in := r.wait(r.bob, "INVITE")
		r.expect(in, "4000 8, 0 34")
		in.Reply(486, nil)
		r.wait(r.alice, "486")
	})
}

func TestATransferHasTheCodecsOfWhoWillTalk(t *testing.T) {
	byTrunk := func(_ context.Context, v View) Decided {
		u, _ := message.ParseURI(v.Request.URI)
		return Decided{Decision: Route{Targets: []Target{{Trunk: u.User}}, Refer: LocalRefer}}
	}
	play(t, &fixed{invite: byTrunk}, func(r *rig) {
		r.speaking(map[string]trunk.Codecs{"bob": {Keep: []string{"PCMU"}}, "alice": {Prefer: []string{"PCMA"}}})
		call := r.answered()
		r.say(r.alice, call.alice, "INVITE", answering("0 8 101"))
		r.wait(r.bob, "INVITE").Reply(200, answering("0 101"))
		r.wait(r.alice, "200")
		r.ack(call.alice, 2, "")
		r.wait(r.bob, "ACK")
		r.refer(r.bob, call.bob, "<sip:carol@192.0.2.10>", nil)
		r.wait(r.bob, "202 REFER")
		in := r.wait(r.carol, "INVITE")
		r.expect(in, "4000 8 0 101")
		in.Reply(486, nil)
		r.notified(r.bob, "486")
		r.say(r.bob, call.bob, "BYE", nil)
		r.wait(r.alice, "BYE").Reply(200, nil)
	})
}
