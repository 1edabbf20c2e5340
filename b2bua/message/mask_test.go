package message

import (
	"strings"
	"testing"
)

func TestSecretsAreMaskedInWhatPeopleRead(t *testing.T) {
	for text, want := range map[string]string{
		"INVITE sip:bob:hunter2@192.0.2.1:5060 SIP/2.0":                       "INVITE sip:bob:***@192.0.2.1:5060 SIP/2.0",
		"Contact: <SIPS:bob:p%40ss;x?/w@host>;expires=60":                     "Contact: <SIPS:bob:***@host>;expires=60",
		"From: sip:192.0.2.1:5060":                                            "From: sip:192.0.2.1:5060",
		"<sip:192.0.2.1:5060>, <sip:bob@192.0.2.2>":                           "<sip:192.0.2.1:5060>, <sip:bob@192.0.2.2>",
		"dial redis://u:p@ss@host:6379/0: refused":                            "dial redis://u:***@host:6379/0: refused",
		"postgres://:pw@host/db":                                              "postgres://:***@host/db",
		"<sip:bob@host?Authorization=Digest%20response%3D1&Subject=x>":        "<sip:bob@host?Authorization=***&Subject=x>",
		"Authorization: Digest username=\"a\", response=\"0123\", nc=1":       "Authorization: Digest username=\"a\", response=***, nc=1",
		"proxy-authorization:digest Response = 0123,nc=1":                     "proxy-authorization:digest Response = ***,nc=1",
		"Authorization: Digest nc=1,\r\n response=\"0123\r\nTo: <sip:b@h>":    "Authorization: Digest nc=1,\r\n response=***\r\nTo: <sip:b@h>",
		"Authorization: Digest\r\n\tresponse=\"01\\\"23\"\r\nVia: x":          "Authorization: Digest\r\n\tresponse=***\r\nVia: x",
		"Authorization: Basic dXNlcjpwYXNz\r\nTo: x":                          "Authorization: Basic ***\r\nTo: x",
		"Authorization: Digest nc=1, Basic dXNlcjpwYXNz":                      "Authorization: Digest ***",
		"Authorization: Bearer a.b.c":                                         "Authorization: Bearer ***",
		"Authentication-Info: rspauth=\"0123\", nextnonce=\"n\"":              "Authentication-Info: rspauth=***, nextnonce=\"n\"",
		"WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"":                   "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"",
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJD+/==|2^20;inline:RUZH": "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20;inline:***",
		"v=0\r\nk=clear:secret\r\na=ice-pwd:secret\r\na=x":                    "v=0\r\nk=clear:***\r\na=ice-pwd:***\r\na=x",
		"a line with Authorization: Digest nc=1, response=\"01\"":             "a line with Authorization: Digest nc=1, response=***",
		"Digest nc=1, response=\"0cc175b9c0f1b6a831c399e269772661\", qop=x":   "Digest nc=1, response=***, qop=x",
		"the response=\"yes\"":                                                "the response=\"yes\"",
		"no secret at 10:30@noon":                                             "no secret at 10:30@noon",
	} {
		if got := Mask(text); got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
		if again := Mask(want); again != want {
			t.Errorf("masked twice: %q", again)
		}
	}
}

func TestAFieldAndAURIAreMaskedByThemselves(t *testing.T) {
	if got := MaskField("Proxy-Authorization", `Digest nc=1, response="0123"`); got != `Digest nc=1, response=***` {
		t.Error(got)
	}
	if got := MaskField("Subject", `a response="0123"`); got != `a response="0123"` {
		t.Error(got)
	}
	if got := MaskURI("sip:bob:pw@host:5060"); got != "sip:bob:***@host:5060" {
		t.Error(got)
	}
	if n := testing.AllocsPerRun(10, func() { _ = MaskURI("sip:bob@192.0.2.1:5060") }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func FuzzNoProofSurvivesTheMask(f *testing.F) {
	f.Add("Digest username=\"a\",\r\n ", " , nc=1")
	f.Add("", "\r\nTo: x")
	f.Add("0", "0")
	f.Fuzz(func(t *testing.T, before, after string) {
		const proof = "0cc175b9c0f1b6a831c399e269772661"
		if strings.ContainsAny(before, "\"\n") || strings.Contains(after, proof) {
			t.Skip()
		}
		got := Mask("Authorization: Digest " + before + ", response=\"" + proof + "\"" + after)
		if strings.Contains(got, proof) {
			t.Errorf("%q", got)
		}
		if Mask(got) != got {
			t.Errorf("masked twice: %q", got)
		}
	})
}

func TestJSONStaysJSONUnderTheMask(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"sip:bob:pw@h","b":["<\"x\"> sip:bob:pw@h"],"c":1}`: `{"a":"sip:bob:***@h","b":["<\"x\"> sip:bob:***@h"],"c":1}`,
		`{"notes":["Authorization: Basic eHk=","x"],"n":2}`:       `{"notes":["Authorization: Basic ***","x"],"n":2}`,
		`["Authorization: Digest response=\"01\""]`:               `["Authorization: Digest response=***"]`,
		`{"from":"sip:bob@h"}`:                                    `{"from":"sip:bob@h"}`,
		`"open sip:bob:pw@h`:                                      `"open sip:bob:pw@h`,
		`"open \\`:                                                `"open \\`,
	} {
		if got := string(MaskJSON([]byte(text))); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}
