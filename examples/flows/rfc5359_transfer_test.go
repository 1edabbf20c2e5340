package flows

import (
	"strings"
	"testing"

	"legwork/b2bua/message"
)

func referTo(uri string) edit { return header("Refer-To", "<"+uri+">") }

func referredBy(p *phone) edit { return header("Referred-By", "<"+p.aor+">") }

// sipfrag is what a NOTIFY tells of a REFER (RFC 3515 section 2.4.5).
func sipfrag(status, subscription string) edit {
	return func(m *message.Message) {
		m.Set("Event", "refer")
		m.Set("Subscription-State", subscription)
		m.Set("Content-Type", "message/sipfrag;version=2.0")
		m.Body = []byte("SIP/2.0 " + status + "\r\n")
	}
}

// told takes a NOTIFY about a REFER.
func (l *line) told(status string) {
	l.p.w.Helper()
	m := l.gets("NOTIFY")
	if got := strings.TrimSpace(string(m.Body)); got != "SIP/2.0 "+status {
		l.p.w.Errorf("%s was told %q, want %s", l.p.name, got, status)
	}
	l.sends("200")
}

// RFC 5359 section 2.4. The REFER crosses, and Alice's phone obeys it.
func TestTransferUnattended(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		w.connect(alice, bob)
		withBob := alice.line

		bob.sends("REFER", referTo(carol.aor), referredBy(bob))
		refer := alice.gets("REFER")
		if refer.Get("Refer-To") != "<"+carol.aor+">" || refer.Get("Referred-By") != "<"+bob.aor+">" {
			w.Errorf("the REFER has lost its meaning: %s", refer)
		}
		alice.sends("202")
		bob.gets("202")
		alice.sends("NOTIFY", sipfrag("100 Trying", "active;expires=60"))
		bob.told("100 Trying")
		alice.gets("200")

		alice.calls(carol.aor, referredBy(bob))
		if invite := carol.gets("INVITE"); invite.Get("Referred-By") != "<"+bob.aor+">" {
			w.Errorf("Carol does not know who sent Alice: %s", invite)
		}
		w.answers(carol, alice)
		withBob.sends("NOTIFY", sipfrag("200 OK", "terminated;reason=noresource"))
		bob.told("200 OK")
		withBob.gets("200")
		bob.sends("BYE")
		withBob.gets("BYE")
		withBob.sends("200")
		bob.gets("200")
		w.hangsUp(alice, carol)
	})
}

// obeying has all transfers done by the proxy, for phones that know no REFER.
func obeying(with proxies) proxies {
	for i := range with[ss1] {
		with[ss1][i].Params = map[string]any{"refer": "local"}
	}
	return with
}

// RFC 5359 section 2.4 for a phone that knows no REFER: Legwork calls Carol for
// Alice, and Alice hears of it by a re-INVITE.
func TestTransferUnattendedDoneHere(t *testing.T) {
	play(t, obeying(oneProxy()), func(w *world) {
		w.splices = true
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		w.connect(alice, bob)
		bob.sends("REFER", referTo(carol.aor), referredBy(bob))
		bob.gets("202")
		bob.told("100 Trying")
		if invite := carol.gets("INVITE"); invite.Get("Referred-By") != "<"+bob.aor+">" {
			w.Errorf("Carol does not know who sent Alice: %s", invite)
		}
		carol.sends("180")
		bob.told("180 Ringing")
		carol.sends("200")
		carol.gets("ACK")
		alice.gets("INVITE")
		alice.sends("200")
		alice.gets("ACK")
		w.talk(alice.line, carol.line)
		bob.told("200 OK")
		bob.sends("BYE")
		bob.gets("200")
		w.hangsUp(alice, carol)
	})
}
