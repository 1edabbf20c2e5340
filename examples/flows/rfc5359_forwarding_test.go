package flows

import "testing"

// RFC 5359 section 2.7. Bob's phone hears nothing of it.
func TestCallForwardingUnconditional(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		alice.calls("sip:bob.always@biloxi.example.com")
		alice.gets("100")
		carol.gets("INVITE")
		w.answers(carol, alice)
		w.hangsUp(alice, carol)
		bob.hearsNothing()
	})
}

// RFC 5359 section 2.8. The 181 of the document (F6) is the proxy's own: a script
// can't make one.
func TestCallForwardingBusy(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		alice.calls("sip:bob.busy@biloxi.example.com") // F1 INVITE
		alice.gets("100")                              // F3
		bob.gets("INVITE")                             // F2
		bob.sends("486")                               // F4, F5 ACK
		carol.gets("INVITE")                           // F7
		carol.sends("180")                             // F8
		alice.gets("180")                              // F9
		carol.sends("200")                             // F10
		alice.gets("200")                              // F11
		alice.sends("ACK")                             // F12
		carol.gets("ACK")                              // F13
		w.talk(alice.line, carol.line)
		alice.sends("BYE") // F14
		carol.gets("BYE")  // F15
		carol.sends("200") // F16
		alice.gets("200")  // F17
	})
}

// RFC 5359 section 2.9.
func TestCallForwardingNoAnswer(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		alice.calls("sip:bob.away@biloxi.example.com")
		alice.gets("100")
		bob.gets("INVITE")
		bob.sends("180")
		alice.gets("180")
		bob.gets("CANCEL") // after 20 s
		bob.sends("487")
		carol.gets("INVITE")
		w.answers(carol, alice)
		w.hangsUp(alice, carol)
	})
}

// RFC 5359 section 2.12: Bob is busy at the first place, out at the second, and
// sits at the third.
func TestFindMe(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, carol, desk := w.alice(), w.bob(), w.carol(), w.desk()
		alice.calls("sip:bob.anywhere@biloxi.example.com")
		alice.gets("100")
		bob.gets("INVITE")
		bob.sends("486")
		carol.gets("INVITE")
		carol.sends("180")
		alice.gets("180")
		carol.gets("CANCEL")
		carol.sends("487")
		desk.gets("INVITE")
		w.answers(desk, alice)
		w.hangsUp(desk, alice)
	})
}
