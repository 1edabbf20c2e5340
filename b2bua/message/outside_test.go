package message

import "testing"

func TestARequestOutsideAnyCallIsToldFromThoseOfCalls(t *testing.T) {
	for text, want := range map[string]bool{
		"OPTIONS sip:b SIP/2.0\r\nTo: <sip:b>\r\nCSeq: 1 OPTIONS\r\n\r\n":       true,
		"FROB sip:b SIP/2.0\r\nTo: <sip:b>\r\nCSeq: 1 FROB\r\n\r\n":             true,
		"OPTIONS sip:b SIP/2.0\r\nTo: <sip:b>;tag=1\r\nCSeq: 1 OPTIONS\r\n\r\n": false,
		"INVITE sip:b SIP/2.0\r\nTo: <sip:b>\r\nCSeq: 1 INVITE\r\n\r\n":         false,
		"CANCEL sip:b SIP/2.0\r\nTo: <sip:b>\r\nCSeq: 1 CANCEL\r\n\r\n":         false,
		"SIP/2.0 200 OK\r\nTo: <sip:b>\r\nCSeq: 1 OPTIONS\r\n\r\n":              false,
	} {
		m, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if m.OutsideCall() != want {
			t.Errorf("%t: %s", !want, text)
		}
	}
}

func TestAFieldIsFoundAmongNamesInAnyForm(t *testing.T) {
	names := []string{"From", "Contact"}
	if !SameAny("m", names) || !SameAny("FROM", names) || SameAny("To", names) {
		t.Error("long, short and odd forms are not told apart")
	}
}
