package digest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestExamplesOfTheRFCsComeOut(t *testing.T) {
	// RFC 7616 section 3.9.1, one nonce for both algorithms.
	mufasa := proof{
		nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
		nc: 1, qop: "auth", method: "GET", uri: "/dir/index.html",
	}
	for _, test := range []struct {
		name                  string
		algorithm             Algorithm
		user, realm, password string
		proof                 proof
		want                  string
	}{
		{
			"RFC 2617 section 3.5", MD5, "Mufasa", "testrealm@host.com", "Circle Of Life",
			proof{
				nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", cnonce: "0a4f113b", nc: 1, qop: "auth",
				method: "GET", uri: "/dir/index.html",
			},
			"6629fae49393a05397450978507c4ef1",
		},
		{
			"RFC 2617 section 3.5 without qop, as RFC 2069 has it", MD5, "Mufasa", "testrealm@host.com", "Circle Of Life",
			proof{nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", method: "GET", uri: "/dir/index.html"},
			"670fd8c2df070c60b045671b8b24ff02",
		},
		{
			"RFC 7616 section 3.9.1, MD5", MD5, "Mufasa", "http-auth@example.org", "Circle of Life", mufasa,
			"8ca523f5e9506fed4657c9700eebdbec",
		},
		{
			"RFC 7616 section 3.9.1, SHA-256", SHA256, "Mufasa", "http-auth@example.org", "Circle of Life", mufasa,
			"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
		},
		{
			"RFC 7616 section 3.9.2 as erratum 4897 corrects it", SHA512t256, "J\u00e4s\u00f8n Doe", "api@example.org", "Secret, or not?",
			proof{
				nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
				nc: 1, qop: "auth", method: "GET", uri: "/doe.json",
			},
			"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
		},
	} {
		test.proof.algorithm = test.algorithm
		test.proof.a1 = test.algorithm.hash(test.user, test.realm, test.password)
		if got := test.proof.response(); got != test.want {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

func TestAlgorithmsAreReadAsTheyAreWritten(t *testing.T) {
	for a := MD5; a <= SHA512t256Session; a++ {
		for _, name := range []string{a.String(), strings.ToLower(a.String())} {
			if got, ok := ParseAlgorithm(name); !ok || got != a {
				t.Errorf("%s is read as %s", name, got)
			}
		}
	}
	for _, name := range []string{"none", "SHA-512", "MD5-", "AKAv1-MD5", "unknown"} {
		if got, ok := ParseAlgorithm(name); ok {
			t.Errorf("%s is read as %s", name, got)
		}
	}
}

func TestSessionVariantsHashTheFirstNonceIntoTheKey(t *testing.T) {
	h := func(parts ...string) string {
		sum := md5.Sum([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(sum[:])
	}
	c := &Client{}
	first := answered(t, c, challenged(invite(), UAS, offered("n1", ", algorithm=MD5-sess")), invite(), always("alice", "secret"))
	c.Learn(learnt(first, `nextnonce="n2"`))
	second := with(t, request("BYE", "sip:bob@192.0.2.9"), c.Authorize(request("BYE", "sip:bob@192.0.2.9")))
	cnonce := sent(t, first, UAS).get("cnonce")
	key := h(h("alice", realm, "secret"), "n1", cnonce)
	if got, want := sent(t, first, UAS).get("response"), h(key, "n1", "00000001", cnonce, "auth", h("INVITE", "sip:bob@legwork.example")); got != want {
		t.Errorf("INVITE: %s, want %s", got, want)
	}
	if got, want := sent(t, second, UAS).get("response"), h(key, "n2", "00000001", cnonce, "auth", h("BYE", "sip:bob@192.0.2.9")); got != want {
		t.Errorf("BYE: %s, want %s", got, want)
	}
}

func TestNoSecretIsEverPrinted(t *testing.T) {
	ours := Credentials{"alice", "open sesame"}
	theirs := Secret{Password: "open sesame", HA1: "0123456789abcdef0123456789abcdef"}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, verb+verb+verb, ours, theirs, struct{ C *Credentials }{&ours}.C)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "ours", ours, "theirs", theirs)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "ours", ours, "theirs", theirs)
	if s := out.String(); strings.Contains(s, "sesame") || strings.Contains(s, "0123456789abcdef") {
		t.Error(s)
	}
	if !strings.Contains(out.String(), "alice") {
		t.Error("the user name is not shown")
	}
}

func TestHashesAreToldByTheirLength(t *testing.T) {
	ha1 := MD5.hash("alice", realm, "secret")
	long := SHA256.hash("alice", realm, "secret")
	for _, test := range []struct {
		secret Secret
		of     []Algorithm
	}{
		{Secret{HA1: ha1}, []Algorithm{MD5}},
		{Secret{HA1: strings.ToUpper(ha1)}, []Algorithm{MD5}},
		{Secret{HA1: long}, []Algorithm{SHA256}},
		{Secret{Password: "secret"}, nil},
		{Secret{HA1: ha1[1:]}, nil},
		{Secret{}, nil},
	} {
		var of []Algorithm
		for a := MD5; a <= SHA512t256; a++ {
			if test.secret.hashed(a) {
				of = append(of, a)
			}
		}
		if fmt.Sprint(of) != fmt.Sprint(test.of) {
			t.Errorf("%q is of %v, want %v", test.secret.HA1, of, test.of)
		}
	}
	if (Secret{HA1: strings.ToUpper(ha1)}).a1(MD5, "alice", realm) != ha1 {
		t.Error("upper-case hash is not the same hash")
	}
}
