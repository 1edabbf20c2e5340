package flows

import (
	"net/url"
	"strings"
	"testing"

	"legwork/b2bua/message"
)

// RFC 5359 section 2.5. Bob asks Carol before he sends Alice to her; Carol's phone
// replaces the call with Bob by the one with Alice.
func TestTransferAttended(t *testing.T) {
	play(t, oneProxy(), func(w *world) {
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		w.connect(alice, bob)
		aliceWithBob, bobWithAlice := alice.line, bob.line
		w.holds(bobWithAlice, aliceWithBob)
		w.connect(bob, carol)
		bobWithCarol, carolWithBob := bob.line, carol.line
		w.holds(bobWithCarol, carolWithBob)

		bobWithAlice.sends("REFER", referTo(carol.aor+"?Replaces="+url.QueryEscape(replaces(bobWithCarol))), referredBy(bob))
		refer := alice.gets("REFER")
		to, replaced := referred(w, refer)
		w.named(replaced, carolWithBob)
		alice.sends("202")
		bobWithAlice.gets("202")
		alice.sends("NOTIFY", sipfrag("100 Trying", "active;expires=60"))
		bobWithAlice.told("100 Trying")
		alice.gets("200")

		alice.calls(to, header("Replaces", replaced), header("Require", "replaces"), referredBy(bob))
		w.takesOver(carol, carolWithBob, alice)
		carolWithBob.sends("BYE")
		bobWithCarol.gets("BYE")
		bobWithCarol.sends("200")
		carolWithBob.gets("200")
		aliceWithBob.sends("NOTIFY", sipfrag("200 OK", "terminated;reason=noresource"))
		bobWithAlice.told("200 OK")
		aliceWithBob.gets("200")
		bobWithAlice.sends("BYE")
		aliceWithBob.gets("BYE")
		aliceWithBob.sends("200")
		bobWithAlice.gets("200")
		w.hangsUp(alice, carol)
	})
}

// RFC 5359 section 2.5 for phones that know no REFER: Legwork puts Alice and Carol
// through to each other, and Bob has nobody left.
func TestTransferAttendedDoneHere(t *testing.T) {
	play(t, obeying(oneProxy()), func(w *world) {
		w.splices = true
		alice, bob, carol := w.alice(), w.bob(), w.carol()
		w.connect(alice, bob)
		bobWithAlice := bob.line
		w.holds(bobWithAlice, alice.line)
		w.connect(bob, carol)
		bobWithCarol := bob.line
		w.holds(bobWithCarol, carol.line)

		bobWithAlice.sends("REFER", referTo(carol.aor+"?Replaces="+url.QueryEscape(replaces(bobWithCarol))), referredBy(bob))
		bobWithAlice.gets("202")
		bobWithAlice.told("100 Trying")
		for _, p := range []*phone{alice, carol} {
			p.gets("INVITE")
			p.sends("200")
			p.gets("ACK")
		}
		w.talk(alice.line, carol.line)
		bobWithAlice.told("200 OK")
		bobWithCarol.gets("BYE")
		bobWithCarol.sends("200")
		bobWithAlice.sends("BYE")
		bobWithAlice.gets("200")
		w.hangsUp(alice, carol)
	})
}

// replaces is a Replaces value for the other end of a line (RFC 3891 section 3):
// its tag is the to-tag.
func replaces(l *line) string {
	return l.callID + ";to-tag=" + l.dialog.Remote + ";from-tag=" + l.dialog.Local
}

// referred takes a Refer-To apart: whom to call, and the Replaces to do it with.
func referred(w *world, refer *message.Message) (uri, replaced string) {
	w.Helper()
	uri, escaped, _ := strings.Cut(strings.Trim(refer.Get("Refer-To"), "<>"), "?Replaces=")
	replaced, err := url.PathUnescape(escaped)
	w.must(err)
	return uri, replaced
}

// named says that a Replaces that reached a phone names a line of its own.
func (w *world) named(value string, l *line) {
	w.Helper()
	params := strings.Split(value, ";")
	want := []string{l.callID, "to-tag=" + l.dialog.Local, "from-tag=" + l.dialog.Remote}
	for i, part := range want {
		if i >= len(params) || params[i] != part {
			w.Fatalf("%s knows no call %s, only %s", l.p.name, value, strings.Join(want, ";"))
		}
	}
}

// takesOver is how a phone answers an INVITE that replaces a line of its own.
func (w *world) takesOver(p *phone, replaced *line, caller *phone) {
	w.Helper()
	invite := p.gets("INVITE")
	w.named(invite.Get("Replaces"), replaced)
	p.sends("200")
	caller.gets("200")
	caller.sends("ACK")
	p.gets("ACK")
	w.talk(p.line, caller.line)
}

// holds has one line put the other on hold.
func (w *world) holds(l, other *line) {
	w.Helper()
	l.sends("INVITE", l.p.holding)
	other.gets("INVITE")
	other.sends("200")
	l.gets("200")
	l.sends("ACK")
	other.gets("ACK")
	w.held(l, other)
}
