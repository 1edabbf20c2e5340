package message

import (
	"strings"
	"testing"
)

func TestTagsAreFoundWhereverSpaceStands(t *testing.T) {
	for value, tag := range map[string]string{
		`<sip:a@b.example>;tag=1`:                     "1",
		`sip:a@b.example;tag=2`:                       "2",
		`"x;tag=9" <sip:a@b.example;tag=8> ; TAG = 3`: "3",
		`<sip:a@b.example;tag=8>`:                     "",
		`"open <sip:a@b.example>;tag=1`:               "",
		``:                                            "",
	} {
		if got := Tag(value); got != tag {
			t.Errorf("%s: %q, want %q", value, got, tag)
		}
	}
}

func TestURIsKeepWhatTheyWereWrittenWith(t *testing.T) {
	for _, uri := range []string{
		"sip:a@b.example", "sip:a:secret@b.example:5070;lr;x=", "sips:%41lice@[2001:db8::1]:5061;transport=tcp?Subject=x",
		"tel:+49301234;phone-context=x", "urn:service:sos", "sip:b.example", "soap.beep://192.0.2.103:3002",
	} {
		u, err := ParseURI(uri)
		if err != nil || u.String() != uri {
			t.Errorf("%s: %s, %v", uri, u, err)
		}
	}
	for _, uri := range []string{"", "sip:", "a@b", "sip:@b.example", "sip:a@b.example:0", "sip:a@b.example:70000", "sip:2001:db8::10"} {
		if u, err := ParseURI(uri); err == nil {
			t.Errorf("%q was read as %+v", uri, u)
		}
	}
}

func TestOnlyTheTopViaIsReplaced(t *testing.T) {
	m := &Message{Headers: []Header{
		{"Via", "SIP/2.0/UDP a.example;branch=z9hG4bK1, SIP/2.0/TCP b.example;x=\"1,2\""},
		{"Via", "SIP/2.0/UDP c.example"},
	}}
	v, ok := m.Via()
	if !ok || v.Branch() != "z9hG4bK1" {
		t.Fatalf("%+v %v", v, ok)
	}
	v.Params.Set("received", "192.0.2.1")
	m.SetTopVia(v)
	if got := m.Get("Via"); got != "SIP/2.0/UDP a.example;branch=z9hG4bK1;received=192.0.2.1, SIP/2.0/TCP b.example;x=\"1,2\"" {
		t.Error(got)
	}
	if n := len(m.List("Via")); n != 3 {
		t.Errorf("%d Vias", n)
	}
}

func TestCompactAndLongNamesAreOne(t *testing.T) {
	m := &Message{Headers: []Header{{"Supported", "timer, 100rel"}, {"supported", "path"}}}
	if !m.HasToken("k", "PATH") || m.HasToken("Supported", "rel") {
		t.Error("tokens")
	}
	m.Set("k", "only")
	if got := m.All("SUPPORTED"); len(got) != 1 || got[0] != "only" {
		t.Error(got)
	}
	if !m.Del("k") || m.Del("k") {
		t.Error("delete")
	}
}

func TestAnAnswerEchoesAndAddsATagOnce(t *testing.T) {
	m, err := Parse([]byte(invite))
	if err != nil {
		t.Fatal(err)
	}
	if res := m.Respond(100, "", "x"); res.ToTag() != "" {
		t.Error("100 has a tag")
	}
	res := m.Respond(486, "", "x")
	if res.ToTag() != "x" || res.Reason != "Busy Here" || res.Get("Via") != m.Get("Via") || len(res.Headers) != 5 {
		t.Errorf("%s", res)
	}
	m.Set("To", WithTag(m.Get("To"), "theirs"))
	if res := m.Respond(200, "Fine", "x"); res.ToTag() != "theirs" || res.Reason != "Fine" {
		t.Errorf("%s", res)
	}
}

func TestAValueThatEndsItsLineIsRefused(t *testing.T) {
	for _, v := range []string{"a\r\nX: 1", "a\n", "\x00"} {
		if CheckValue(v) == nil {
			t.Errorf("%q", v)
		}
	}
	if err := CheckValue("a b"); err != nil {
		t.Error(err)
	}
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{
		`"A \"x\"" <sip:a@b.example;lr>;tag=1;q="x;y"`, "SIP / 2.0 / UDP [2001:db8::1]:5060 ; branch=z9hG4bK1",
		"sip:a:b@c.example:5060;lr?x=y", "4711 INVITE", "tel:+1;x=y", "sip:a@b.example ;tag=1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ParseCSeq(s)
		if CheckValue(s) != nil {
			return // can't be a header value
		}
		if a, err := ParseAddr(s); err == nil {
			again, err := ParseAddr(a.String())
			if err != nil || again.String() != a.String() {
				t.Errorf("address %q: %q, %q, %v", s, a, again, err)
			}
		}
		if v, ok := ParseVia(s); ok {
			again, ok := ParseVia(v.String())
			if !ok || again.String() != v.String() {
				t.Errorf("via %q: %q, %q", s, v, again)
			}
		}
		if u, err := ParseURI(s); err == nil {
			again, err := ParseURI(u.String())
			if err != nil || again.String() != u.String() {
				t.Errorf("uri %q: %q, %q, %v", s, u, again, err)
			}
		}
	})
}

func TestReplaceKeepsSeveralOfOneName(t *testing.T) {
	m := &Message{Headers: []Header{{"X-A", "old"}, {"Subject", "tea"}, {"X-A", "older"}}}
	m.Replace([]Header{{"X-A", "1"}, {"x-a", "2"}, {"s", "coffee"}})
	if got := strings.Join(m.All("X-A"), "|") + " " + strings.Join(m.All("Subject"), "|"); got != "1|2 coffee" {
		t.Error(got)
	}
}

func TestATokenIsListedOnce(t *testing.T) {
	m := &Message{Method: "INVITE"}
	for _, tag := range []string{"timer", "100rel", "Timer"} {
		m.AddToken("Supported", tag)
	}
	m.Add("Require", "replaces")
	m.Add("Require", "timer")
	m.AddToken("Require", "100rel")
	if got := m.Get("Supported") + "; " + m.Get("Require"); got != "timer, 100rel; replaces, timer, 100rel" {
		t.Errorf("%s", got)
	}
}

func TestARestOfAgesIsLong(t *testing.T) {
	for value, want := range map[string]int{
		"120": 120, "18000;duration=3600": 18000, "120 (I'm (in) a meeting)": 120, "99999999999999999999": 1<<31 - 1, "2147483648 (2038)": 1<<31 - 1,
		"0": 0, "": 0, "soon": 0, "-5": 0, "Tue, 1 Jan": 0,
	} {
		m := &Message{Headers: []Header{{Name: "Retry-After", Value: value}}}
		if got := m.RetryAfter(); got != want {
			t.Errorf("Retry-After: %s is %d, want %d", value, got, want)
		}
	}
}
