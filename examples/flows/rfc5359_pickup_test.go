package flows

import (
	"fmt"
	"regexp"
	"testing"

	"legwork/b2bua/message"
)

// dialogs is what a NOTIFY tells of a line (RFC 4235); nil: of none.
func dialogs(l *line, state string) edit {
	return func(m *message.Message) {
		m.Set("Event", "dialog")
		m.Set("Content-Type", "application/dialog-info+xml")
		text := ""
		if l != nil {
			text = fmt.Sprintf(`<dialog id="1" call-id=%q local-tag=%q remote-tag=%q direction="recipient"><state>%s</state></dialog>`,
				l.callID, l.dialog.Local, l.dialog.Remote, state)
		}
		m.Body = []byte(`<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:bob@biloxi.example.com">` +
			text + "</dialog-info>\r\n")
	}
}

// picksUp makes a Replaces of such a NOTIFY: for who is at the other end of the
// line.
func picksUp(w *world, notify *message.Message) string {
	w.Helper()
	m := regexp.MustCompile(`call-id="(.*?)" local-tag="(.*?)" remote-tag="(.*?)"`).FindSubmatch(notify.Body)
	if m == nil {
		w.Fatalf("no dialog in %s", notify)
	}
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", m[1], m[3], m[2])
}

func watches(expires string) edit {
	return func(m *message.Message) {
		m.Set("Event", "dialog")
		m.Set("Accept", "application/dialog-info+xml")
		m.Set("Expires", expires)
	}
}

// RFC 5359 section 2.16: Bill takes the call that rings at Bob's.
func TestCallPickup(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, bill := w.alice(), w.bob(), w.bill()
		alice.calls(bob.aor) // F1 INVITE
		alice.gets("100")
		bob.gets("INVITE")
		bob.sends("180") // F2
		alice.gets("180")
		toBob, fromAlice := alice.line, bob.line

		bill.asks("SUBSCRIBE", bob.aor, watches("0")) // F3
		bob.gets("SUBSCRIBE")
		bob.sends("200", header("Expires", "0")) // F4
		bill.gets("200")
		bob.sends("NOTIFY", dialogs(fromAlice, "early"), header("Subscription-State", "terminated;reason=timeout")) // F5
		notify := bill.gets("NOTIFY")
		bill.sends("200") // F6
		bob.gets("200")

		bill.calls(alice.aor, header("Replaces", picksUp(w, notify)+";early-only"), header("Require", "replaces")) // F7 INVITE
		invite := alice.gets("INVITE")
		w.named(invite.Get("Replaces"), toBob)
		alice.sends("200")       // F8
		bill.gets("200")         // on the other leg
		bill.sends("ACK")        // F13
		alice.gets("ACK")        // on the other leg
		toBob.sends("CANCEL")    // F9, F10 200
		fromAlice.gets("CANCEL") // on the other leg
		fromAlice.sends("487")   // F11, F12 ACK
		toBob.gets("487")        // on the other leg
		w.talk(alice.line, bill.line)
		alice.sends("BYE") // F14
		bill.gets("BYE")
		bill.sends("200") // F15
		alice.gets("200")
	})
}

// RFC 5359 section 2.17: Alice's phone watches Bob's, and calls again when Bob has
// hung up.
func TestAutomaticRedial(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob := w.alice(), w.bob()
		alice.calls(bob.aor) // F1 INVITE
		alice.gets("100")
		bob.gets("INVITE")
		bob.sends("486")  // F2, F3 ACK
		alice.gets("486") // on the other leg

		alice.asks("SUBSCRIBE", bob.aor, watches("120")) // F4
		bob.gets("SUBSCRIBE")
		bob.sends("200", header("Expires", "120")) // F5
		alice.gets("200")
		watching, watched := alice.line, bob.line
		watched.sends("NOTIFY", dialogs(nil, ""), header("Subscription-State", "active;expires=120")) // F6
		watching.gets("NOTIFY")
		watching.sends("200") // F7
		watched.gets("200")
		watched.sends("NOTIFY", dialogs(nil, ""), header("Subscription-State", "active;expires=110")) // F8
		watching.gets("NOTIFY")
		watching.sends("200") // F9
		watched.gets("200")

		w.connect(alice, bob)                     // F10 INVITE and on
		watching.sends("SUBSCRIBE", watches("0")) // F16
		watched.gets("SUBSCRIBE")
		watched.sends("200", header("Expires", "0"))
		watching.gets("200")
		watched.sends("NOTIFY", dialogs(nil, ""), header("Subscription-State", "terminated;reason=timeout"))
		watching.gets("NOTIFY")
		watching.sends("200")
		watched.gets("200")
		w.hangsUp(bob, alice)
	})
}
