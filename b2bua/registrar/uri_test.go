package registrar

import (
	"testing"

	"legwork/b2bua/message"
)

func TestAddressOfRecordHasOneSpelling(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:alice@atlanta.example":                         "sip:alice@atlanta.example",
		"SIP:%61lice@Atlanta.EXAMPLE:5060;user=phone;x?a=b": "sip:alice@atlanta.example",
		"sip:Alice@atlanta.example":                         "sip:Alice@atlanta.example",
		"sip:alice:secret@atlanta.example:5061":             "sip:alice@atlanta.example",
		"sips:alice@atlanta.example:5061":                   "sips:alice@atlanta.example",
		"sip:%2B1234%3bx@[2001:DB8:0::1]":                   "sip:+1234;x@[2001:db8::1]",
		"sip:a%40b%3a%00%c3%a9@atlanta.example":             "sip:a%40b%3A%00%C3%A9@atlanta.example",
		"sip:100%@atlanta.example":                          "sip:100%25@atlanta.example",
		"sip:\"\x01\"@atlanta.example":                      "sip:%22%01%22@atlanta.example",
		"sip:atlanta.example":                               "sip:atlanta.example",
	} {
		got, err := AOR(uri)
		if got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", uri, got, err, want)
		}
		if again, err := AOR(got); again != got || err != nil {
			t.Errorf("%q again: %q, %v", got, again, err)
		}
	}
	for _, uri := range []string{"", "tel:+1234", "alice", "sip:", "sip:@atlanta.example", "*"} {
		if got, err := AOR(uri); err == nil {
			t.Errorf("%q: %q", uri, got)
		}
	}
}

// RFC 3261 section 19.1.4 has these, but for those of other documents below.
func TestURIsAreComparedAsTheRFCDoes(t *testing.T) {
	for _, pair := range [][2]string{
		{"sip:%61lice@atlanta.example;transport=TCP", "sip:alice@AtLanTa.ExAmple;Transport=tcp"},
		{"sip:carol@chicago.example", "sip:carol@chicago.example;newparam=5"},
		{"sip:carol@chicago.example", "sip:carol@chicago.example;security=on"},
		{"sip:carol@chicago.example;newparam=5", "sip:carol@chicago.example;security=on"},
		{"sip:biloxi.example;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.example", "sip:biloxi.example;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.example"},
		{"sip:alice@atlanta.example?subject=project%20x&priority=urgent", "sip:alice@atlanta.example?priority=urgent&subject=project%20x"},
		{"sip:a@[2001:db8::9:1]", "sip:a@[2001:0DB8:0::9:01]"}, // RFC 5954 section 4.1
		{"sip:a@192.0.2.1;lr", "sip:a@192.0.2.1;LR"},
		{"MAILTO:bob@biloxi.example", "mailto:bob@biloxi.example"},
	} {
		if !equal(t, pair[0], pair[1]) {
			t.Errorf("%s and %s are told apart", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"SIP:ALICE@AtLanTa.ExAmple;Transport=udp", "sip:alice@AtLanTa.ExAmple;Transport=UDP"},
		{"sip:bob@biloxi.example", "sip:bob@biloxi.example:5060"},
		{"sip:bob@biloxi.example", "sip:bob@biloxi.example;transport=udp"},
		{"sip:bob@biloxi.example", "sip:bob@biloxi.example;user=ip"},
		{"sip:bob@biloxi.example", "sip:bob@biloxi.example:6000;transport=tcp"},
		{"sip:carol@chicago.example", "sip:carol@chicago.example?Subject=next%20meeting"},
		{"sip:bob@phone21.boxesbybob.example", "sip:bob@192.0.2.4"},
		{"sip:carol@chicago.example;security=off", "sip:carol@chicago.example;security=on"},
		{"sip:bob@biloxi.example", "sip:bob@biloxi.example;maddr=192.0.2.1"},
		{"sip:bob@biloxi.example", "sips:bob@biloxi.example"},
		{"sip:bob%3b@biloxi.example", "sip:bob;@biloxi.example"},
		{"sip:bob:a@biloxi.example", "sip:bob@biloxi.example"},
		{"mailto:Bob@biloxi.example", "mailto:bob@biloxi.example"},
	} {
		if equal(t, pair[0], pair[1]) {
			t.Errorf("%s and %s are taken for one", pair[0], pair[1])
		}
	}
}

func equal(t *testing.T, a, b string) bool {
	t.Helper()
	x, y := identityOf(t, a), identityOf(t, b)
	if x.same(&y) != y.same(&x) {
		t.Errorf("%s and %s: it depends on the order", a, b)
	}
	if !x.same(&x) || !y.same(&y) {
		t.Errorf("%s or %s is not itself", a, b)
	}
	return x.same(&y)
}

func identityOf(t *testing.T, uri string) identity {
	t.Helper()
	u, err := message.ParseURI(uri)
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	return identify(u)
}
