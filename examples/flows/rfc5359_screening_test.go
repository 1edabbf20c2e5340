package flows

import "testing"

// RFC 5359 section 2.13: Bob wants to hear from Alice, and from nobody else.
func TestIncomingCallScreening(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob.private@biloxi.example.com")
		alice.gets("407")
		alice.proves("junior", "hopscotch")
		if res := alice.gets("403"); res.Reason != "Screening Failure" {
			w.Errorf("refused for %s", res.Reason)
		}
		bob.hearsNothing()
		alice.calls("sip:bob.private@biloxi.example.com")
		alice.gets("407")
		alice.proves("alice", "zanzibar")
		bob.gets("INVITE")
		w.answers(bob, alice)
		w.hangsUp(alice, bob)
	})
}

// RFC 5359 section 2.14: who calls from Alice's phone as Junior may call Bob, and
// nobody else.
func TestOutgoingCallScreening(t *testing.T) {
	one := oneProxy()
	authenticating(one[ss1])
	play(t, one, func(w *world) {
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		alice.aor = "sip:junior@atlanta.example.com"
		alice.calls("sip:carol@chicago.example.com")
		alice.gets("407")
		alice.proves("junior", "hopscotch")
		alice.gets("403")
		carol.hearsNothing()
		alice.calls("sip:bob@biloxi.example.com")
		alice.gets("407")
		alice.proves("junior", "hopscotch")
		bob.gets("INVITE")
		w.answers(bob, alice)
		w.hangsUp(alice, bob)
	})
}
