package luatest

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// Misbehaviours lists all that a lab knows: of callees, then of callers, then of
// networks.
func Misbehaviours() []Misbehaviour {
	list := slices.Concat(callees(), cancelled(), answers(), talkers(), callers(), badNetworks())
	for i := range list {
		if list[i].callee == nil {
			list[i].callee = (*player).answers
		}
		if list[i].caller == nil {
			list[i].caller = (*player).calls
		}
	}
	return list
}

// callees do not answer, or refuse.
func callees() []Misbehaviour {
	return []Misbehaviour{
		{Name: "silent", Says: "the callee answers nothing at all", callee: func(*player) {}},
		{Name: "refused", Says: "the callee's port is closed", refuses: true},
		{Name: "garbage", Says: "the callee answers with bytes that are no SIP", callee: func(p *player) {
			_ = p.leg.agent.SendRaw([]byte("SIP/2.0 200\r\nVia: \r\n\x00\xff\r\n\r\n"), p.leg.peer)
		}},
		{Name: "slow-100", Says: "the callee says 100 after 3 s, rings after 6 and answers after 10", callee: func(p *player) {
			p.acts(act(3, 100), act(3, 180), act(4, 200))
		}},
		{Name: "100-then-silence", Says: "the callee says 100 and then nothing", callee: func(p *player) { p.acts(act(0, 100)) }},
		{Name: "183-then-silence", Says: "the callee sends early media and then nothing", callee: func(p *player) { p.acts(act(0, 183)) }},
		{Name: "rings-for-ever", Says: "the callee rings, says so each minute, and nobody answers", callee: func(p *player) {
			for p.say(180); p.wait(time.Minute); {
				p.say(180)
			}
		}},
		{Name: "busy", Says: "the callee answers 486", callee: func(p *player) { p.acts(act(0.1, 486)) }},
		{Name: "declined", Says: "the callee answers 603", callee: func(p *player) { p.acts(act(0, 180), act(1, 603)) }},
		{Name: "early-media-then-486", Says: "the callee plays an announcement for 4 s and answers 486", callee: func(p *player) {
			p.acts(act(0.1, 183), act(4, 486))
		}},
		{Name: "503-burst", Says: "every callee answers 503 with Retry-After: 30", callee: func(p *player) {
			p.say(503, field("Retry-After", "30"))
		}},
		{Name: "3xx-loop", Says: "every callee redirects the call to where it was", callee: func(p *player) {
			p.say(302, field("Contact", "<"+p.in.URI+">"))
		}},
		{Name: "407-loop", Says: "every callee asks who calls, whatever the proof", callee: func(p *player) {
			p.say(407, field("Proxy-Authenticate", `Digest realm="callee.example", nonce="n1", algorithm=MD5, qop="auth"`))
		}},
		{Name: "fork-storm", Says: "30 phones ring behind the callee, and the last answers", callee: func(p *player) {
			for i := range 30 {
				p.say(180, tagged(fmt.Sprintf("phone%d", i)))
			}
			p.acts(act(2, 200))
		}},
		{Name: "unasked-100rel", Says: "the callee wants PRACK of a caller who did not offer it", callee: func(p *player) {
			p.say(183, field("Require", "100rel"), field("RSeq", "1"))
			p.acts(act(2, 200))
		}},
	}
}

// cancelled are callees whose caller gives up after 5 s.
func cancelled() []Misbehaviour {
	rings := func(p *player) { p.acts(act(0.1, 180)) }
	gives := func(p *player) {
		if p.wait(5 * time.Second) {
			p.give()
		}
	}
	return []Misbehaviour{
		{Name: "200-after-cancel", Says: "the caller gives up and the callee answers 200", callee: rings, caller: gives, hear: on("CANCEL", func(p *player, _ *simnet.Incoming) {
			p.say(200)
		})},
		{Name: "late-487", Says: "the caller gives up and the callee's 487 comes 20 s later", callee: rings, caller: gives, hear: on("CANCEL", func(p *player, _ *simnet.Incoming) {
			go p.acts(act(20, 487))
		})},
		{Name: "no-487", Says: "the caller gives up and the callee ends only the CANCEL", callee: rings, caller: gives, hear: on("CANCEL", func(*player, *simnet.Incoming) {})},
		{Name: "deaf-to-cancel", Says: "the caller gives up, the callee hears no CANCEL and answers after 20 s", caller: gives, onPath: without("CANCEL"), callee: func(p *player) {
			p.acts(act(0.1, 180), act(20, 200))
		}},
		{Name: "cancel-at-once", Says: "the caller gives up before anybody rings", caller: (*player).give},
	}
}

// answers are callees whose 2xx is odd.
func answers() []Misbehaviour {
	odd := func(edits ...func(*message.Message)) func(*player) {
		return func(p *player) {
			p.acts(act(0.1, 180))
			if p.wait(2 * time.Second) {
				p.say(200, edits...)
			}
		}
	}
	return []Misbehaviour{
		{Name: "double-200", Says: "two phones behind the callee answer 200", callee: func(p *player) {
			p.acts(act(0.1, 180), act(2, 200))
			p.raw(200, tagged("other"))
		}},
		{Name: "late-180", Says: "the callee's 180 comes behind its 200", callee: func(p *player) {
			p.acts(act(2, 200))
			p.raw(180, tagged(p.tag()))
		}},
		{Name: "bad-sdp", Says: "the callee's 200 has a body that is no SDP", callee: odd(func(m *message.Message) {
			withSDP(m, []byte("v=zero\r\nm=audio here please\r\n"))
		})},
		{Name: "no-sdp", Says: "the callee's 200 has no answer to the offer", callee: odd(func(m *message.Message) {
			m.Del("Content-Type")
			m.Body = nil
		})},
		{Name: "no-contact", Says: "the callee's 200 has no Contact", callee: odd(func(m *message.Message) { m.Del("Contact") })},
		{Name: "no-tag", Says: "the callee's 200 has no To tag", callee: odd(func(m *message.Message) {
			m.Set("To", message.WithTag(m.Get("To"), ""))
		})},
		{Name: "huge-headers", Says: "the callee's 200 has 60 header fields of 500 bytes", callee: odd(func(m *message.Message) {
			for i := range 60 {
				m.Add(fmt.Sprintf("X-Huge-%d", i), strings.Repeat("h", 500))
			}
		})},
	}
}

// talkers misbehave behind the answer.
func talkers() []Misbehaviour {
	glare := func(p *player) {
		if p.wait(3 * time.Second) {
			p.reinvite()
		}
	}
	offers := func(p *player) {
		p.answers()
		glare(p)
	}
	fromA := func(p *player) bool { return p.leg.name == "a" }
	return []Misbehaviour{
		{Name: "bye-before-ack", Says: "the callee hangs up before the ACK has come", callee: func(p *player) {
			p.acts(act(0.1, 180), act(2, 200))
			p.bye()
		}},
		{Name: "bye-glare", Says: "both hang up in the same instant", callee: func(p *player) {
			p.answers()
			if p.wait(talks + 2*wireDelay) {
				p.bye()
			}
		}},
		{Name: "no-bye-answer", Says: "the caller hangs up and the callee answers no BYE", onPath: without("BYE"), hear: on("BYE", func(*player, *simnet.Incoming) {})},
		{Name: "re-invite-glare", Says: "both offer the session anew in the same instant", callee: offers, caller: func(p *player) {
			if p.isAnswered() && p.wait(3*time.Second-2*wireDelay) {
				p.reinvite()
			}
			if p.wait(20 * time.Second) {
				p.bye()
			}
		}},
		{Name: "re-invite-refused", Says: "the callee offers the session anew and the caller answers 491, each time", callee: offers, hear: func(p *player, in *simnet.Incoming) bool {
			mine := fromA(p) && in.Method == "INVITE" && in.IsRequest()
			if mine {
				p.reply(in, 491)
			}
			return mine
		}},
		{Name: "re-invite-unanswered", Says: "the callee offers the session anew and the caller says nothing", callee: offers, caller: func(p *player) {
			if p.isAnswered() && p.wait(time.Minute) {
				p.bye()
			}
		}, hear: func(p *player, in *simnet.Incoming) bool {
			return fromA(p) && in.Method == "INVITE" && in.IsRequest()
		}},
		{Name: "both-vanish", Says: "both are gone behind the answer and no BYE comes", caller: func(*player) {}, onPath: without("BYE"), hear: func(p *player, in *simnet.Incoming) bool {
			return in.IsRequest() && in.ToTag() != "" && in.Method != "ACK"
		}},
	}
}

// callers misbehave with a callee that does not.
func callers() []Misbehaviour {
	return []Misbehaviour{
		{Name: "no-ack", Says: "the caller acknowledges no 200", caller: func(*player) {}, hear: func(p *player, in *simnet.Incoming) bool {
			return in.Status/100 == 2 && in.Method == "INVITE"
		}},
		{Name: "bye-while-ringing", Says: "the caller hangs up with BYE while it rings", caller: func(p *player) {
			if p.wait(time.Second) {
				p.bye()
			}
		}},
		{Name: "bad-offer", Says: "the caller's offer is no SDP", invite: content{body: []byte("v=0\r\nthis is no SDP\r\n"), given: true}},
		{Name: "ack-without-answer", Says: "the caller offers nothing, and its ACK has no answer to the callee's offer", invite: content{given: true}, hear: func(p *player, in *simnet.Incoming) bool {
			if in.Status/100 == 2 && in.Method == "INVITE" {
				p.lab.stage.mu.Lock()
				p.leg.asked = true // as if the 200 had the answer
				p.lab.stage.mu.Unlock()
			}
			return false
		}},
	}
}

// badNetworks are between all.
func badNetworks() []Misbehaviour {
	return []Misbehaviour{
		{Name: "lost-every-third", Says: "the network loses every third datagram of each way", onPath: everyThird},
		{Name: "all-doubled", Says: "the network carries every datagram twice", faults: simnet.Faults{Seed: 1, Double: 1, Jitter: 50 * time.Millisecond}},
	}
}

// act is one response after some seconds.
func act(seconds float64, code int) Act {
	return Act{After: time.Duration(seconds * float64(time.Second)), Code: code}
}

// acts says one thing after the other.
func (p *player) acts(acts ...Act) {
	for _, a := range acts {
		if a.After > 0 && !p.wait(a.After) {
			return
		}
		p.say(a.Code)
	}
}

// raw sends an answer to the INVITE past the transaction, which knows better.
func (p *player) raw(code int, edits ...func(*message.Message)) {
	res := p.in.Respond(code, "", "raw")
	res.Set("Contact", p.leg.agent.Contact())
	if code/100 == 2 {
		describe(p.leg.agent, p.in, res)
	}
	for _, edit := range edits {
		edit(res)
	}
	_ = p.leg.agent.SendRaw(res.Bytes(), p.leg.peer)
}

// tag is the phone's own in its dialog.
func (p *player) tag() string {
	p.lab.stage.mu.Lock()
	defer p.lab.stage.mu.Unlock()
	if p.leg.dialog == nil {
		return ""
	}
	return p.leg.dialog.Local
}

func field(name, value string) func(*message.Message) {
	return func(m *message.Message) { m.Set(name, value) }
}

func tagged(tag string) func(*message.Message) {
	return func(m *message.Message) { m.Set("To", message.WithTag(m.Get("To"), tag)) }
}

// on hears the requests of a method.
func on(method string, f func(*player, *simnet.Incoming)) func(*player, *simnet.Incoming) bool {
	return func(p *player, in *simnet.Incoming) bool {
		if !in.IsRequest() || in.Method != method || p.leg.name == "a" {
			return false
		}
		f(p, in)
		return true
	}
}

// without takes what the engine sends with a method off the path.
func without(method string) func() func(simnet.Packet) bool {
	return func() func(simnet.Packet) bool {
		own := engineAddrs()
		return func(p simnet.Packet) bool {
			return !slices.Contains(own, p.From) || !bytes.HasPrefix(p.Bytes, []byte(method+" "))
		}
	}
}

// everyThird counts for each pair of ends, so that what happens elsewhere in the
// same instant does not matter.
func everyThird() func(simnet.Packet) bool {
	seen := map[[2]netip.AddrPort]int{}
	return func(p simnet.Packet) bool {
		way := [2]netip.AddrPort{p.From, p.To}
		seen[way]++
		return seen[way]%3 != 0
	}
}
