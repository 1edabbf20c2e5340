package registrar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/store"
)

// Whatever a REGISTER holds, a 200 names what Lookup finds, its lines can be
// read again, and only 200 changes anything.
func FuzzRegister(f *testing.F) {
	for _, head := range []string{
		"Contact: <sip:a@192.0.2.1>;q=0.7;expires=60, \"B, C\" <sip:b@[2001:db8::1];transport=tcp?x=y>",
		"Contact: *\r\nExpires: 0",
		"Contact: <sip:a@192.0.2.1>;expires=99999999999;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\nSupported: path\r\nPath: <sip:p1.example;lr>, <sip:p2.example;lr>",
		"Contact: <sip:a@192.0.2.1;x=1>, <sip:a@192.0.2.1;x=2>, <sip:a@192.0.2.1>\r\nExpires: -1",
		"m: sip:%61@192.0.2.1;q=1\r\nm: mailto:a@b.example",
	} {
		f.Add("sip:bob@biloxi.example.com", head)
	}
	f.Fuzz(func(t *testing.T, to, head string) {
		text := "REGISTER sip:biloxi.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b.example>;tag=1\r\nTo: <" +
			to + ">\r\nCall-ID: 1\r\nCSeq: 9 REGISTER\r\n" + head + "\r\n\r\n"
		m, err := message.Parse([]byte(text))
		if err != nil || m.Check() != nil {
			t.Skip()
		}
		s := store.NewMemory(store.Limits{})
		r, err := New(Config{Store: s, Min: time.Minute, Default: time.Hour, Max: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		to = message.URIOf(m.Get("To")) // the fuzzer likes to end the address early
		aor, aorErr := AOR(to)
		if again, err := AOR(aor); aorErr == nil && (again != aor || err != nil) {
			t.Errorf("%q is canonical for %q, but %q (%v) for itself", aor, to, again, err)
		}
		res := r.Register(m, Origin{}, 0)
		switch res.Code {
		case 200:
			list, err := r.Lookup(to)
			if err != nil {
				t.Fatal(err)
			}
			wantListed(t, res, list)
		case 400, 403, 423:
			if s.Len() != 0 {
				t.Errorf("%d left something behind", res.Code)
			}
		default:
			t.Errorf("%d %v", res.Code, res.Err)
		}
	})
}

func wantListed(t *testing.T, res Result, list []Binding) {
	t.Helper()
	var answer strings.Builder
	for _, h := range res.Headers {
		fmt.Fprintf(&answer, "%s: %s\r\n", h.Name, h.Value)
	}
	m, err := message.Parse([]byte("SIP/2.0 200 OK\r\n" + answer.String() + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, b := range list {
		want = append(want, b.Contact)
	}
	for _, contact := range m.List("Contact") {
		a, err := message.ParseAddr(contact)
		if _, ok := a.Params.Get("expires"); err != nil || !ok {
			t.Errorf("%s: %v", contact, err)
		}
		got = append(got, a.URI)
	}
	if !slices.Equal(want, got) || len(m.Headers) != len(res.Headers) {
		t.Errorf("200 lists %q, Lookup %q", got, want)
	}
}
