package flows

import (
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// RFC 3665 section 3.1: there is no proxy in the document's.
func TestSuccessfulSessionEstablishment(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE
		bob.gets("INVITE")
		bob.sends("180") // F2
		alice.gets("180")
		bob.sends("200") // F3
		alice.gets("200")
		alice.sends("ACK") // F4
		bob.gets("ACK")
		w.talk(alice.line, bob.line)
		bob.sends("BYE") // F5
		alice.gets("BYE")
		alice.sends("200") // F6
		bob.gets("200")
	})
}

// RFC 3665 section 3.2. Each proxy answers a BYE itself and says it on.
func TestSessionEstablishmentThroughTwoProxies(t *testing.T) {
	both := twoProxies()
	authenticating(both[ss1])
	play(t, both, func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE
		alice.gets("407")                         // F2, F3 ACK
		alice.proves("alice", "zanzibar")         // F4 INVITE, F5
		alice.gets("100")                         // F6
		invite := bob.gets("INVITE")              // F7
		if hops(invite) != 2 {
			w.Errorf("%d proxies counted Max-Forwards down, want 2", hops(invite))
		}
		bob.sends("180")   // F9, F10
		alice.gets("180")  // F11
		bob.sends("200")   // F12, F13
		alice.gets("200")  // F14
		alice.sends("ACK") // F15, F16
		bob.gets("ACK")    // F17
		w.talk(alice.line, bob.line)
		bob.sends("BYE")   // F18, F19
		alice.gets("BYE")  // F20
		alice.sends("200") // F21, F22
		bob.gets("200")    // F23
	})
}

// RFC 3665 section 3.3. Proxy 2 does not know Alice but Proxy 1, which calls it:
// its challenge is answered there, and F9 to F11 do not happen.
func TestSessionWithMultipleProxyAuthentication(t *testing.T) {
	both := twoProxies()
	authenticating(both[ss1])
	both[ss1][1].Auth = &trunk.Auth{User: "ss1", Password: "between proxies"}
	both[ss2][2].Params = map[string]any{"authenticate": true}
	play(t, both, func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE
		alice.gets("407")                         // F2, F3 ACK
		alice.proves("alice", "zanzibar")         // F4 INVITE, F5, F7 407, F8 ACK, F12 INVITE
		alice.gets("100")                         // F6
		invite := bob.gets("INVITE")              // F14
		for _, name := range []string{"Authorization", "Proxy-Authorization"} {
			if value, crossed := invite.Lookup(name); crossed {
				w.Errorf("Bob was told %s: %s", name, value)
			}
		}
		bob.sends("200")   // F16, F17
		alice.gets("200")  // F18
		alice.sends("ACK") // F19, F20
		bob.gets("ACK")    // F21
		w.talk(alice.line, bob.line)
		bob.sends("BYE")   // F22, F23
		alice.gets("BYE")  // F24
		alice.sends("200") // F25, F26
		bob.gets("200")    // F27
	})
}

// RFC 3665 section 3.4: Proxy 1 is dead, and Proxy 2 is tried instead.
func TestSuccessfulSessionWithProxyFailure(t *testing.T) {
	only := proxies{ss2: {phoneAt("alice", atAtlanta), phoneAt("bob", atBiloxi)}}
	authenticating(only[ss2])
	play(t, only, func(w *world) {
		alice, bob := w.alice(), w.bob()
		w.deaf[ss1] = true
		alice.calls("sip:bob@biloxi.example.com") // F1 to F7: INVITE seven times
		alice.gets("408")                         // made by the phone: nothing came
		if n := w.times(atAtlanta, ss1, "INVITE"); n != 7 && w.network == "udp" {
			w.Errorf("Proxy 1 was sent %d INVITEs, want 7", n)
		}
		alice.proxy = ss2
		alice.calls("sip:bob@biloxi.example.com") // F8 INVITE
		alice.gets("407")                         // F9, F10 ACK
		alice.proves("alice", "zanzibar")         // F11 INVITE
		alice.gets("100")                         // F13
		bob.gets("INVITE")                        // F12
		bob.sends("180")                          // F14
		alice.gets("180")                         // F15
		bob.sends("200")                          // F16
		alice.gets("200")                         // F17
		alice.sends("ACK")                        // F18
		bob.gets("ACK")                           // F19
		w.talk(alice.line, bob.line)
		bob.sends("BYE")   // F20
		alice.gets("BYE")  // F21
		alice.sends("200") // F22
		bob.gets("200")    // F23
	})
}

// RFC 3665 section 3.5. The gateway is a Legwork whose script writes the
// gateway's own address into SDP; that carries RTP is another program.
func TestSessionThroughASIPALG(t *testing.T) {
	atlanta := phoneAt("alice", atAtlanta)
	atlanta.Params = map[string]any{"alg": "192.0.2.128"}
	both := proxies{
		alg: {atlanta, phoneAt("biloxi", ss2)},
		ss2: {phoneAt("gateway", alg), phoneAt("bob", atBiloxi)},
	}
	play(t, both, func(w *world) {
		w.edits = true
		alice, bob := w.alice(), w.bob()
		alice.proxy = alg
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE, F2
		alice.gets("100")                         // F3
		invite := bob.gets("INVITE")              // F4
		bob.sends("180")                          // F6, F7
		alice.gets("180")                         // F8
		bob.sends("200")                          // F9, F10
		ok := alice.gets("200")                   // F11
		alice.sends("ACK")                        // F12, F13
		bob.gets("ACK")                           // F14
		for _, m := range []*message.Message{invite, ok} {
			if sdp := string(m.Body); connection(sdp) != "192.0.2.128" || port(sdp) != "49172" {
				w.Errorf("RTP would go past the gateway: %s", m)
			}
		}
		alice.sends("BYE") // F15, F16
		bob.gets("BYE")    // F17
		bob.sends("200")   // F18, F19
		alice.gets("200")  // F20
	})
}

// RFC 3665 section 3.6: a redirect server, a proxy, and the offer in the 200.
func TestSessionViaRedirectAndProxyServersWithSDPInACK(t *testing.T) {
	both := proxies{
		ss1: {phoneAt("alice", atAtlanta)},
		ss3: {phoneAt("alice", atAtlanta), phoneAt("bob", atBiloxi)},
	}
	play(t, both, func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob.moved@biloxi.example.com", withoutSDP) // F1 INVITE
		moved, ok := alice.gets("302").Contact()                    // F2, F3 ACK
		if !ok || moved.URI != "sip:bob@"+ss3 {
			w.Fatalf("the 302 leads to %s", moved)
		}
		alice.proxy = ss3
		alice.calls(moved.URI, withoutSDP) // F4 INVITE
		alice.gets("100")                  // F6
		invite := bob.gets("INVITE")       // F5
		if len(invite.Body) != 0 {
			w.Error("an offer appeared from nowhere")
		}
		bob.sends("180")   // F7
		alice.gets("180")  // F8
		bob.sends("200")   // F9, with the offer
		alice.gets("200")  // F10
		alice.sends("ACK") // F11, with the answer
		bob.gets("ACK")    // F12
		w.talk(alice.line, bob.line)
		bob.sends("BYE")   // F13
		alice.gets("BYE")  // F14
		alice.sends("200") // F15
		bob.gets("200")    // F16
	})
}

// RFC 3665 section 3.7: Bob takes his phone elsewhere, to an address that is his
// trunk's too. From any other his re-INVITE would be a stranger's.
func TestSessionWithReINVITE(t *testing.T) {
	bobs := phoneAt("bob", atBiloxi)
	bobs.Match = append(bobs.Match, "192.0.2.202")
	play(t, proxies{ss2: {phoneAt("alice", atAtlanta), bobs}}, func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.proxy = ss2
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE
		alice.gets("100")                         // F3
		bob.gets("INVITE")                        // F2
		bob.sends("180")                          // F4
		alice.gets("180")                         // F5
		bob.sends("200")                          // F6
		alice.gets("200")                         // F7
		alice.sends("ACK")                        // F8, straight to Bob in the document
		bob.gets("ACK")
		w.talk(alice.line, bob.line)
		bob.moves(elsewhere)
		bob.sends("INVITE") // F9, past the proxy in the document
		alice.gets("INVITE")
		alice.sends("200") // F10
		bob.gets("200")
		bob.sends("ACK") // F11
		alice.gets("ACK")
		w.talk(alice.line, bob.line)
		if got := connection(alice.remote); got != "192.0.2.202" {
			w.Errorf("RTP still goes to %s", got)
		}
		alice.sends("BYE") // F12
		if bye := bob.gets("BYE"); !strings.HasPrefix(bye.URI, "sip:"+elsewhere) {
			w.Errorf("the BYE went to %s", bye.URI)
		}
		bob.sends("200") // F13
		alice.gets("200")
	})
}

// RFC 3665 section 3.8: Alice gives up while Bob's phone rings.
func TestUnsuccessfulNoAnswer(t *testing.T) {
	play(t, twoProxies(), func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE, F2
		alice.gets("100")                         // F3
		bob.gets("INVITE")                        // F4
		bob.sends("180")                          // F6, F7
		alice.gets("180")                         // F8
		alice.sends("CANCEL")                     // F9, F10 200, F11, F12 200
		bob.gets("CANCEL")                        // F13, F14 200
		bob.sends("487")                          // F15, F16 ACK, F17, F18 ACK
		alice.gets("487")                         // F19, F20 ACK
	})
}

// RFC 3665 section 3.9.
func TestUnsuccessfulBusy(t *testing.T) {
	play(t, twoProxies(), func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE, F2
		alice.gets("100")                         // F3
		bob.gets("INVITE")                        // F4
		bob.sends("486")                          // F6, F7 ACK, F8, F9 ACK
		alice.gets("486")                         // F10, F11 ACK
	})
}

// RFC 3665 section 3.10: Bob's phone is dead, and Proxy 2 gives up.
func TestUnsuccessfulNoResponseFromUserAgent(t *testing.T) {
	play(t, twoProxies(), func(w *world) {
		alice := w.alice()
		w.deaf[atBiloxi] = true
		begun := time.Now()
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE, F2, F4, F6 to F11: INVITE six times more
		alice.gets("100")                         // F3
		res := alice.gets("480")                  // F12, F13 ACK, F14, F15 ACK
		if n := w.times(ss2, atBiloxi, "INVITE"); n != 7 && w.network == "udp" {
			w.Errorf("Bob was sent %d INVITEs, want 7", n)
		}
		if took := time.Since(begun); res.Reason != "No Response" || took < 31*time.Second && w.network == "udp" {
			w.Errorf("%d %s after %s", res.Status, res.Reason, took)
		}
	})
}

// RFC 3665 section 3.11: it rings, and then it does not.
func TestUnsuccessfulTemporarilyUnavailable(t *testing.T) {
	play(t, twoProxies(), func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE, F2
		alice.gets("100")                         // F3
		bob.gets("INVITE")                        // F4
		bob.sends("180")                          // F6, F7
		alice.gets("180")                         // F8
		bob.sends("480")                          // F9, F10 ACK, F11, F12 ACK
		alice.gets("480")                         // F13, F14 ACK
	})
}
