package registrar

import (
	"testing"
	"time"
)

const client = "sips:bob@client.biloxi.example.com"

func TestNewRegistrationIsKept(t *testing.T) { // RFC 3665 section 2.1
	r := newRig(t, nil)
	res := r.register("CSeq: 2 REGISTER", "Contact: <"+client+">", "Expires: 3600")
	r.accepts(res, "<"+client+">;expires=3600")
	r.now = r.now.Add(time.Second / 2)
	b := r.holds(client)[0]
	if b.Flow != "flow 1" || b.Source != "192.0.2.4:5061" || b.Transport != "tls" || b.CallID != "1j9FpLxk3uxtm8tn@biloxi.example.com" ||
		b.CSeq != 2 || b.Q != 1 || b.Expires.Sub(b.Registered) != time.Hour {
		t.Errorf("%+v", b)
	}
}

func TestContactListIsUpdated(t *testing.T) { // section 2.2
	r := newRig(t, nil)
	r.register("CSeq: 1 REGISTER", "Contact: <"+client+">", "Expires: 3600")
	r.now = r.now.Add(10 * time.Second)
	r.accepts(r.register("CSeq: 2 REGISTER", "Contact: mailto:bob@biloxi.example.com"),
		"<mailto:bob@biloxi.example.com>;expires=300", "<"+client+">;expires=3590")
}

func TestCurrentContactsAreListed(t *testing.T) { // section 2.3
	s := &shaky{}
	r := newRig(t, func(c *Config) { s.Store, c.Store = c.Store, s })
	r.register("CSeq: 1 REGISTER", `Contact: "Bob" <`+client+`>;q=0.5;expires=3600;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"`)
	r.now = r.now.Add(90*time.Second + time.Millisecond)
	r.accepts(r.register("CSeq: 1 REGISTER"),
		`<`+client+`>;q=0.5;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";expires=3510`)
	if s.tries != 1 {
		t.Error("a query wrote to the store")
	}
}

func TestRegistrationIsCancelled(t *testing.T) { // section 2.4
	r := newRig(t, nil)
	r.register("CSeq: 1 REGISTER", "Contact: <"+client+">", "Contact: <sip:bob@192.0.2.4>")
	r.accepts(r.register("CSeq: 2 REGISTER", "Contact: <sip:bob@192.0.2.4>;expires=0"), "<"+client+">;expires=300")
	r.accepts(r.register("CSeq: 3 REGISTER", "Contact: *", "Expires: 0"))
	r.holds()
	if _, ok, _ := r.store.Get(under(bob)); ok {
		t.Error("an empty list is kept")
	}
	r.accepts(r.register("CSeq: 4 REGISTER", "Contact: <sip:bob@192.0.2.9>;expires=0"))
}

func TestShortIntervalIsRefusedWithTheLeastOne(t *testing.T) { // section 2.5 names only 401; RFC 3261 section 10.2.8
	r := newRig(t, nil)
	res := r.register("Contact: <"+client+">;expires=59", "Contact: <sip:bob@192.0.2.4>")
	r.refuses(res, 423)
	if got := values(res, "Min-Expires"); len(got) != 1 || got[0] != "60" {
		t.Errorf("Min-Expires %q", got)
	}
	r.holds()
	r.accepts(r.register("Contact: <"+client+">;expires=60"), "<"+client+">;expires=60")
}
