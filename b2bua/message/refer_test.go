package message

import (
	"strings"
	"testing"
)

func TestAReferToGivesUpWhatHidesInItsURI(t *testing.T) {
	m := &Message{Method: "REFER", Headers: []Header{{"Refer-To", `"Carol" <sip:carol@192.0.2.3;transport=tcp;method=INVITE?` +
		`Replaces=12345%40192.0.2.9%3Bto-tag%3Dto1%3Bfrom-tag%3Dfr-2&Subject=a%20b&body=x>;x=1`}}}
	r, err := m.ReferTo()
	if err != nil {
		t.Fatal(err)
	}
	if r.URI != "sip:carol@192.0.2.3;transport=tcp" || r.Method != "INVITE" || r.Display != "Carol" {
		t.Errorf("%+v", r)
	}
	if r.Replaces == nil || r.Replaces.CallID != "12345@192.0.2.9" || r.Replaces.ToTag != "to1" || r.Replaces.FromTag != "fr-2" {
		t.Errorf("Replaces %+v", r.Replaces)
	}
	if len(r.Fields) != 1 || r.Fields[0] != (Header{"Subject", "a b"}) {
		t.Errorf("fields %q", r.Fields)
	}
	again := &Message{Headers: []Header{{"Refer-To", r.String()}}}
	second, err := again.ReferTo()
	if err != nil || second.String() != r.String() || *second.Replaces.plain() != *r.Replaces.plain() {
		t.Errorf("%q written, %q read: %v", r, second, err)
	}
}

// plain is a Replaces that can be compared.
func (r *Replaces) plain() *struct{ a, b, c string } {
	return &struct{ a, b, c string }{r.CallID, r.ToTag, r.FromTag}
}

func TestAReferToOfOtherMethodsAndSchemesIsRead(t *testing.T) {
	for value, want := range map[string][2]string{
		"sip:b@192.0.2.2;method=BYE":   {"sip:b@192.0.2.2", "INVITE"}, // a parameter of the header
		"<sip:b@192.0.2.2;method=bye>": {"sip:b@192.0.2.2", "BYE"},
		"tel:+49301234":                {"tel:+49301234", "INVITE"},
	} {
		r, err := (&Message{Headers: []Header{{"Refer-To", value}}}).ReferTo()
		if err != nil || r.URI != want[0] || r.Method != want[1] {
			t.Errorf("%s: %+v, %v", value, r, err)
		}
	}
}

func TestAReferToThatDoesNotParseIsRefused(t *testing.T) {
	for _, value := range []string{
		"", "carol", "<sip:c@192.0.2.3", "<sip:c@192.0.2.3>, <sip:d@192.0.2.3>", "<sip:c@192.0.2.3;method=>",
		"<sip:c@192.0.2.3?Replaces=x>", "<sip:c@192.0.2.3?Replaces=x%3Bto-tag%3D1>", "<sip:c@192.0.2.3?Subject=%0d%0aX>",
		"<sip:c@192.0.2.3?Subject=%4>", "<sip:c@192.0.2.3?%20=1>", "<sip:c@192.0.2.3?" + strings.Repeat("a=1&", 20) + ">",
		"<sip:c@192.0.2.3?a=" + strings.Repeat("x", 5000) + ">",
		"<sip:c@192.0.2.3?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>",
	} {
		if r, err := (&Message{Headers: []Header{{"Refer-To", value}}}).ReferTo(); err == nil {
			t.Errorf("%q was read as %+v", value, r)
		}
	}
	two := &Message{Headers: []Header{{"Refer-To", "<sip:c@192.0.2.3>"}, {"r", "<sip:c@192.0.2.3>"}}}
	if _, err := two.ReferTo(); err == nil {
		t.Error("two were read")
	}
}

func TestReplacesIsReadInAnyOrder(t *testing.T) {
	r, err := ParseReplaces(" a@b ; early-only;from-tag=2 ;x=y; to-tag=1")
	if err != nil || r.CallID != "a@b" || r.ToTag != "1" || r.FromTag != "2" || !r.EarlyOnly {
		t.Fatalf("%+v %v", r, err)
	}
	if got := r.String(); got != "a@b;to-tag=1;from-tag=2;early-only;x=y" {
		t.Error(got)
	}
	for _, value := range []string{
		"", ";to-tag=1;from-tag=2", "a;to-tag=1", "a;from-tag=1", "a;to-tag=1;to-tag=1;from-tag=2", "a;to-tag=;from-tag=2",
		"a b;to-tag=1;from-tag=2", "a;to-tag=1;from-tag=2;early-only=x", "a;to-tag=\"1\";from-tag=2",
	} {
		if r, err := ParseReplaces(value); err == nil {
			t.Errorf("%q was read as %+v", value, r)
		}
	}
}

func TestReferSubFalseIsHeard(t *testing.T) {
	for value, want := range map[string]bool{"false": true, "False;x=1": true, "true": false, "": false} {
		if got := (&Message{Headers: []Header{{"Refer-Sub", value}}}).NoReferSub(); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func FuzzReferTo(f *testing.F) {
	f.Add("<sip:c@192.0.2.3?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&X=%25>;y")
	f.Add("\"x\" <sip:c@192.0.2.3;method=REFER>")
	f.Fuzz(func(t *testing.T, value string) {
		r, err := (&Message{Headers: []Header{{"Refer-To", value}}}).ReferTo()
		if err != nil {
			return
		}
		again, err := (&Message{Headers: []Header{{"Refer-To", r.String()}}}).ReferTo()
		if err != nil || again.String() != r.String() {
			t.Errorf("%q was written %q and read %q, %v", value, r, again, err)
		}
	})
}
