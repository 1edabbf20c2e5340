package flows

import (
	"testing"

	"legwork/b2bua/message"
)

// RFC 5359 section 2.1: Bob holds and resumes.
func TestCallHold(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls("sip:bob@biloxi.example.com") // F1 INVITE, F2
		alice.gets("100")                         // F3
		bob.gets("INVITE")
		bob.sends("180")   // F4
		alice.gets("180")  // F5
		bob.sends("200")   // F6
		alice.gets("200")  // F7
		alice.sends("ACK") // F8
		bob.gets("ACK")    // F9
		w.talk(alice.line, bob.line)

		bob.sends("INVITE", bob.holding) // F10
		alice.gets("INVITE")             // F11
		alice.sends("200")               // F12
		bob.gets("200")                  // F13
		bob.sends("ACK")                 // F14
		alice.gets("ACK")                // F15
		w.held(bob.line, alice.line)

		bob.sends("INVITE")  // F16
		alice.gets("INVITE") // F17
		alice.sends("200")   // F18
		bob.gets("200")      // F19
		bob.sends("ACK")     // F20
		alice.gets("ACK")    // F21
		w.talk(alice.line, bob.line)

		alice.sends("BYE") // F22
		bob.gets("BYE")    // F23
		bob.sends("200")   // F24
		alice.gets("200")  // F25
	})
}

// RFC 5359 section 2.2: Bob holds Alice, asks Carol, and comes back.
func TestConsultationHold(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		withAlice := w.connect(alice, bob) // F1 to F9

		withAlice.sends("INVITE", bob.holding) // F10
		alice.gets("INVITE")                   // F11
		alice.sends("200")                     // F12
		withAlice.gets("200")                  // F13
		withAlice.sends("ACK")                 // F14
		alice.gets("ACK")                      // F15
		w.held(withAlice, alice.line)

		bob.calls("sip:carol@chicago.example.com") // F16 INVITE
		bob.gets("100")                            // F18
		carol.gets("INVITE")                       // F17
		carol.sends("180")                         // F19
		bob.gets("180")                            // F20
		carol.sends("200")                         // F21
		bob.gets("200")                            // F22
		bob.sends("ACK")                           // F23
		carol.gets("ACK")                          // F24
		w.talk(bob.line, carol.line)
		w.held(withAlice, alice.line)

		bob.sends("BYE")   // F25
		carol.gets("BYE")  // F26
		carol.sends("200") // F27
		bob.gets("200")    // F28

		withAlice.sends("INVITE") // F29
		alice.gets("INVITE")      // F30
		alice.sends("200")        // F31
		withAlice.gets("200")     // F32
		withAlice.sends("ACK")    // F33
		alice.gets("ACK")         // F34
		w.talk(withAlice, alice.line)

		alice.sends("BYE")     // F35
		withAlice.gets("BYE")  // F36
		withAlice.sends("200") // F37
		alice.gets("200")      // F38
	})
}

// RFC 5359 section 2.3: Bob has Alice offer her session, which he passes on to a
// music server, and the server's answer back to her.
func TestMusicOnHold(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, music := w.alice(), w.bob(), w.music()
		withAlice := w.connect(alice, bob)

		withAlice.sends("INVITE", withoutSDP)
		if invite := alice.gets("INVITE"); len(invite.Body) != 0 {
			w.Error("an offer appeared from nowhere")
		}
		alice.sends("200") // with the offer
		withAlice.gets("200")
		bob.calls(music.aor, func(m *message.Message) { with(m, withAlice.remote) })
		bob.gets("100")
		music.gets("INVITE")
		music.sends("200", func(m *message.Message) { with(m, music.sdp("sendonly")) })
		bob.gets("200")
		bob.sends("ACK")
		music.gets("ACK")
		withAlice.sends("ACK", func(m *message.Message) { with(m, bob.remote) })
		alice.gets("ACK")
		w.agree(alice.line, music.line)

		withAlice.sends("INVITE")
		alice.gets("INVITE")
		alice.sends("200")
		withAlice.gets("200")
		withAlice.sends("ACK")
		alice.gets("ACK")
		w.talk(alice.line, withAlice)
		bob.sends("BYE")
		music.gets("BYE")
		music.sends("200")
		bob.gets("200")
		alice.sends("BYE")
		withAlice.gets("BYE")
		withAlice.sends("200")
		alice.gets("200")
	})
}
