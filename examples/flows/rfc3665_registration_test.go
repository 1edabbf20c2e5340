package flows

import (
	"slices"
	"strings"
	"testing"

	"legwork/b2bua/message"
)

// biloxi is a registrar that knows no phone's address.
func biloxi() proxies {
	bob := phoneAt("bobs", atBiloxi)
	bob.Targets = nil
	return proxies{ss2: {phoneAt("alice", atAtlanta), bob}}
}

// registers sends a REGISTER; edits say for which contacts.
func (p *phone) registers(edits ...edit) {
	p.w.Helper()
	req := p.begins("REGISTER", "sip:biloxi.example.com")
	req.Set("To", "<"+p.aor+">")
	req.Del("Contact")
	p.line.request(req, p.proxy, edits)
}

func contact(values ...string) edit {
	return func(m *message.Message) {
		m.Del("Contact")
		for _, v := range values {
			m.Add("Contact", v)
		}
	}
}

// lists says that a 200 lists these contacts and no other, each with the time
// that is left.
func (w *world) lists(res *message.Message, contacts ...string) {
	w.Helper()
	var got []string
	for _, value := range res.List("Contact") {
		a, err := message.ParseAddr(value)
		w.must(err)
		if left, there := a.Params.Get("expires"); !there || left == "0" {
			w.Errorf("no time is left of %s", value)
		}
		got = append(got, a.URI)
	}
	slices.Sort(got)
	slices.Sort(contacts)
	if !slices.Equal(got, contacts) {
		w.Errorf("registered: %s, want %s", strings.Join(got, " "), strings.Join(contacts, " "))
	}
}

const bobsPhone = "sip:bob@" + atBiloxi

// registered is Bob, whose phone is.
func (w *world) registered() *phone {
	w.Helper()
	bob := w.bob()
	bob.registers(contact("<" + bobsPhone + ">"))
	bob.gets("401")
	bob.proves("bob", "serendipity")
	w.lists(bob.gets("200"), bobsPhone)
	return bob
}

// RFC 3665 section 2.1. Then a call finds Bob.
func TestSuccessfulNewRegistration(t *testing.T) {
	play(t, biloxi(), func(w *world) {
		alice, bob := w.alice(), w.bob()
		bob.registers(contact("<" + bobsPhone + ">")) // F1 REGISTER
		bob.gets("401")                               // F2
		bob.proves("bob", "serendipity")              // F3 REGISTER
		w.lists(bob.gets("200"), bobsPhone)           // F4
		alice.proxy = ss2
		alice.calls("sip:bob@biloxi.example.com")
		alice.gets("100")
		if invite := bob.gets("INVITE"); invite.URI != bobsPhone {
			w.Errorf("the INVITE went to %s", invite.URI)
		}
		w.answers(bob, alice)
		w.hangsUp(alice, bob)
	})
}

// RFC 3665 section 2.2.
func TestUpdateOfContactList(t *testing.T) {
	play(t, biloxi(), func(w *world) {
		bob := w.registered()
		bob.registers(contact("<mailto:bob@biloxi.example.com>"), bob.credentials("bob", "serendipity")) // F1 REGISTER
		w.lists(bob.gets("200"), bobsPhone, "mailto:bob@biloxi.example.com")                             // F2
	})
}

// RFC 3665 section 2.3.
func TestRequestForCurrentContactList(t *testing.T) {
	play(t, biloxi(), func(w *world) {
		bob := w.registered()
		bob.registers(bob.credentials("bob", "serendipity")) // F1 REGISTER
		w.lists(bob.gets("200"), bobsPhone)                  // F2
	})
}

// RFC 3665 section 2.4. Then no call finds Bob.
func TestCancellationOfRegistration(t *testing.T) {
	play(t, biloxi(), func(w *world) {
		bob := w.registered()
		bob.registers(contact("*"), header("Expires", "0"), bob.credentials("bob", "serendipity")) // F1 REGISTER
		w.lists(bob.gets("200"))                                                                   // F2
		alice := w.alice()
		alice.proxy = ss2
		alice.calls("sip:bob@biloxi.example.com")
		alice.gets("480")
		bob.hearsNothing()
	})
}

// RFC 3665 section 2.5. Nothing is registered.
func TestUnsuccessfulRegistration(t *testing.T) {
	play(t, biloxi(), func(w *world) {
		bob := w.bob()
		bob.registers(contact("<" + bobsPhone + ">")) // F1 REGISTER
		bob.gets("401")                               // F2
		bob.proves("bob", "a guess")                  // F3 REGISTER
		bob.gets("401")                               // F4
		bob.proves("bob", "serendipity")
		w.lists(bob.gets("200"), bobsPhone)
		bob.registers(contact("<sip:mallory@192.0.2.66>"))
		bob.gets("401")
		bob.proves("alice", "zanzibar") // a good password of another user
		bob.gets("403")
		bob.registers(bob.credentials("bob", "serendipity"))
		w.lists(bob.gets("200"), bobsPhone)
	})
}
