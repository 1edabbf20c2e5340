package flows

import (
	"net/url"
	"testing"
)

// RFC 5359 section 2.15: Bob parks Alice at a server, and Carol fetches her from
// there. A REFER outside calls is relayed with the subscription that it makes.
func TestCallPark(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, carol, park := w.alice(), w.bob(), w.carol(), w.park()
		w.connect(alice, bob) // F1 INVITE, F2 180, F3 200, F4 ACK
		aliceWithBob, bobWithAlice := alice.line, bob.line

		bob.asks("REFER", park.aor, referTo(alice.aor+"?Replaces="+url.QueryEscape(replaces(bobWithAlice))), referredBy(bob))
		refer := park.gets("REFER")
		park.sends("202")
		bob.gets("202")
		asked := park.line
		asked.sends("NOTIFY", sipfrag("100 Trying", "active;expires=60"))
		bob.told("100 Trying")
		asked.gets("200")

		to, replaced := referred(w, refer)
		park.calls(to, header("Replaces", replaced), header("Require", "replaces"), referredBy(bob))
		w.takesOver(alice, aliceWithBob, park)
		aliceWithBob.sends("BYE")
		bobWithAlice.gets("BYE")
		bobWithAlice.sends("200")
		aliceWithBob.gets("200")
		asked.sends("NOTIFY", sipfrag("200 OK", "terminated;reason=noresource"))
		bob.told("200 OK")
		asked.gets("200")

		aliceWithPark, parkWithAlice := alice.line, park.line
		carol.asks("SUBSCRIBE", park.aor, watches("0")) // F16
		park.gets("SUBSCRIBE")
		park.sends("200", header("Expires", "0")) // F17
		carol.gets("200")
		park.sends("NOTIFY", dialogs(parkWithAlice, "confirmed"), header("Subscription-State", "terminated;reason=timeout")) // F18
		notify := carol.gets("NOTIFY")
		carol.sends("200") // F19
		park.gets("200")

		carol.calls(alice.aor, header("Replaces", picksUp(w, notify)), header("Require", "replaces")) // F20 INVITE
		w.takesOver(alice, aliceWithPark, carol)                                                      // F21 200, F22 ACK
		aliceWithPark.sends("BYE")
		parkWithAlice.gets("BYE")
		parkWithAlice.sends("200")
		aliceWithPark.gets("200")
		w.hangsUp(carol, alice)
	})
}

// RFC 5359 section 2.18: Bob's computer has Bob's phone call Carol.
func TestClickToDial(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		computer, bob, carol := w.desk(), w.bob(), w.carol()
		computer.asks("REFER", bob.aor, referTo(carol.aor))
		if refer := bob.gets("REFER"); refer.Get("Refer-To") != "<"+carol.aor+">" {
			w.Errorf("the REFER has lost its meaning: %s", refer)
		}
		bob.sends("202")
		computer.gets("202")
		asked := bob.line
		asked.sends("NOTIFY", sipfrag("100 Trying", "active;expires=60"))
		computer.told("100 Trying")
		asked.gets("200")
		w.connect(bob, carol)
		asked.sends("NOTIFY", sipfrag("200 OK", "terminated;reason=noresource"))
		computer.told("200 OK")
		asked.gets("200")
		w.hangsUp(bob, carol)
	})
}
