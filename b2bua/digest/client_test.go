package digest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"legwork/b2bua/message"
)

// learnt is the 200 of a request, with an Authentication-Info.
func learnt(req *message.Message, info string) *message.Message {
	res := req.Respond(200, "", "b")
	if info != "" {
		res.Add("Authentication-Info", info)
	}
	return res
}

func TestWrongPasswordIsNotSentTwice(t *testing.T) {
	c := &Client{}
	again := answered(t, c, challenged(invite(), UAS, offered("n1")), invite(), always("alice", "wrong"))
	for _, nonce := range []string{"n1", "n2"} {
		if _, err := c.Answer(challenged(again, UAS, offered(nonce)), again, always("alice", "wrong")); !errors.Is(err, ErrRejected) {
			t.Errorf("answer to %s: %v", nonce, err)
		}
	}
	if _, err := c.Answer(challenged(invite(), UAS, offered("n3")), invite(), always("alice", "wrong")); !errors.Is(err, ErrRejected) {
		t.Errorf("answer for a new request: %v", err)
	}
	if fields := c.Authorize(request("BYE", "sip:bob@192.0.2.9")); len(fields) != 0 {
		t.Errorf("rejected credentials go on: %v", fields)
	}
}

func TestStaleNonceIsAnsweredAgainButNotForever(t *testing.T) {
	c := &Client{}
	req, rounds := invite(), 0
	for ; rounds < 100; rounds++ {
		fields, err := c.Answer(challenged(req, UAS, offered(fmt.Sprint("n", rounds), ", stale=TRUE")), req, always("alice", "secret"))
		if errors.Is(err, ErrRejected) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		req = with(t, req, fields)
		if a := sent(t, req, UAS); a.get("nonce") != fmt.Sprint("n", rounds) || a.get("nc") != "00000001" {
			t.Fatalf("round %d: %v", rounds, a)
		}
	}
	if rounds < 2 || rounds > mostRounds {
		t.Errorf("gave up after %d rounds", rounds)
	}
}

func TestNewRealmEachTimeIsNotAnsweredForever(t *testing.T) {
	c := &Client{}
	req, rounds := invite(), 0
	for ; rounds < 100; rounds++ {
		fields, err := c.Answer(challenged(req, Proxy, fmt.Sprintf(`Digest realm="r%d", nonce="n"`, rounds)), req, always("alice", "secret"))
		if err != nil {
			break
		}
		req = with(t, req, fields)
	}
	if rounds != mostRealms {
		t.Errorf("answered %d realms", rounds)
	}
}

func TestProvenCredentialsSurviveOneNewNonceWithoutStale(t *testing.T) {
	c := &Client{}
	first := answered(t, c, challenged(invite(), UAS, offered("n1")), invite(), always("alice", "secret"))
	c.Learn(learnt(first, ""))
	bye := with(t, request("BYE", "sip:bob@192.0.2.9"), c.Authorize(request("BYE", "sip:bob@192.0.2.9")))
	if a := sent(t, bye, UAS); a.get("nonce") != "n1" || a.get("nc") != "00000002" {
		t.Fatalf("BYE carries %v", a)
	}
	bye = answered(t, c, challenged(bye, UAS, offered("n2")), bye, always("alice", "secret"))
	if a := sent(t, bye, UAS); a.get("nonce") != "n2" || a.get("nc") != "00000001" {
		t.Fatalf("BYE is sent again with %v", a)
	}
	if _, err := c.Answer(challenged(bye, UAS, offered("n3")), bye, always("alice", "secret")); !errors.Is(err, ErrRejected) {
		t.Errorf("third BYE: %v", err)
	}
}

func TestProvenCredentialsWithTheSameNonceAreRejected(t *testing.T) {
	c := &Client{}
	first := answered(t, c, challenged(invite(), UAS, offered("n1")), invite(), always("alice", "secret"))
	c.Learn(learnt(first, ""))
	bye := with(t, request("BYE", "sip:bob@192.0.2.9"), c.Authorize(request("BYE", "sip:bob@192.0.2.9")))
	if _, err := c.Answer(challenged(bye, UAS, offered("n1")), bye, always("alice", "secret")); !errors.Is(err, ErrRejected) {
		t.Error(err)
	}
}

func TestOtherResponsesProveNothing(t *testing.T) {
	cancel := request("CANCEL", "sip:bob@legwork.example")
	for name, response := range map[string]func(req *message.Message) *message.Message{
		"183":             func(req *message.Message) *message.Message { return req.Respond(183, "", "b") },
		"503":             func(req *message.Message) *message.Message { return req.Respond(503, "", "b") },
		"200 of a CANCEL": func(*message.Message) *message.Message { return cancel.Respond(200, "", "b") },
	} {
		c := &Client{}
		req := answered(t, c, challenged(invite(), UAS, offered("n1")), invite(), always("alice", "secret"))
		c.Learn(response(req))
		if _, err := c.Answer(challenged(req, UAS, offered("n2")), req, always("alice", "secret")); !errors.Is(err, ErrRejected) {
			t.Errorf("%s, then 401: %v", name, err)
		}
	}
}

func TestLongDialogMayBeChallengedOften(t *testing.T) {
	c := &Client{}
	for i := range 5 * mostRounds {
		req := with(t, invite(), c.Authorize(invite()))
		req = answered(t, c, challenged(req, UAS, offered(fmt.Sprint("n", i), ", stale=true")), req, always("alice", "secret"))
		c.Learn(req.Respond(488, "", "b"))
	}
}

func TestChallengesAreReadUpToABound(t *testing.T) {
	many := strings.Repeat(offered("n")+", ", mostValues) + offered("n", ", algorithm=SHA-256")
	req := answered(t, &Client{}, challenged(invite(), UAS, many), invite(), always("alice", "secret"))
	if got := sent(t, req, UAS).get("algorithm"); got != "" {
		t.Errorf("one line: %s", got)
	}
	lines := append(slices.Repeat([]string{offered("n")}, mostValues), offered("n", ", algorithm=SHA-256"))
	req = answered(t, &Client{}, challenged(invite(), UAS, lines...), invite(), always("alice", "secret"))
	if got := sent(t, req, UAS).get("algorithm"); got != "" {
		t.Errorf("many lines: %s", got)
	}
}

func TestStrongestAlgorithmIsTakenAndOfEqualsTheTopmost(t *testing.T) {
	md5, sha, long := offered("m", ", algorithm=MD5"), offered("s", ", algorithm=SHA-256"), offered("l", ", algorithm=SHA-512-256")
	for _, test := range []struct {
		values []string
		want   string
	}{
		{[]string{md5, sha}, "SHA-256"},
		{[]string{sha, md5}, "SHA-256"},
		{[]string{md5, long, sha}, "SHA-512-256"},
		{[]string{offered("x", ", algorithm=AKAv2-MD5"), offered("none")}, ""},
		{[]string{md5 + ", " + sha}, "SHA-256"},
		{[]string{md5, "Negotiate abc==", offered("t", ", algorithm=token")}, "MD5"},
	} {
		req := answered(t, &Client{}, challenged(invite(), UAS, test.values...), invite(), always("alice", "secret"))
		if got := sent(t, req, UAS).get("algorithm"); got != test.want {
			t.Errorf("%q: answered with %q, want %q", test.values, got, test.want)
		}
	}
}

// A forking proxy gathers the challenges of its branches (RFC 3261 section 16.7
// step 7).
func TestChallengesOfSeveralRealmsAreAllAnswered(t *testing.T) {
	c := &Client{}
	res := challenged(invite(), Proxy, `Digest realm="p1",nonce="a",qop="auth", Digest realm="p2",nonce="b"`, `Digest realm="p3",nonce="c"`)
	res.Add("WWW-Authenticate", `Digest realm="p1", nonce="d"`)
	var asked []string
	fields, err := c.Answer(res, invite(), func(realm string) (Credentials, bool) {
		asked = append(asked, realm)
		return Credentials{"alice", "secret"}, realm != "p3"
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fields {
		auths, _ := readAuths(f.Value)
		got = append(got, f.Name+" "+auths[0].get("realm")+" "+auths[0].get("nonce"))
	}
	want := "[Authorization p1 d Proxy-Authorization p1 a Proxy-Authorization p2 b]"
	if fmt.Sprint(got) != want || fmt.Sprint(asked) != "[p1 p1 p2 p3]" {
		t.Errorf("asked for %v, answered %v", asked, got)
	}
}

func TestSecondRealmKeepsTheCredentialsOfTheFirst(t *testing.T) {
	c := &Client{}
	req := answered(t, c, challenged(invite(), Proxy, `Digest realm="proxy", nonce="a", qop="auth"`), invite(), always("alice", "secret"))
	req = answered(t, c, challenged(req, UAS, offered("b")), req, always("alice", "secret"))
	if p, u := sent(t, req, Proxy), sent(t, req, UAS); p.get("nonce") != "a" || p.get("nc") != "00000002" || u.get("nonce") != "b" {
		t.Errorf("%v and %v", p, u)
	}
}

func TestRejectedRealmDoesNotSpoilTheOther(t *testing.T) {
	c := &Client{}
	p1, p2 := `Digest realm="p1", nonce="a"`, `Digest realm="p2", nonce="b"`
	req := answered(t, c, challenged(invite(), Proxy, p1), invite(), always("alice", "secret"))
	req = answered(t, c, challenged(req, Proxy, p1, p2), req, always("alice", "secret"))
	if got := sent(t, req, Proxy).get("realm"); got != "p2" {
		t.Errorf("answered for %s", got)
	}
	if _, err := c.Answer(challenged(req, Proxy, p1, p2), req, always("alice", "secret")); !errors.Is(err, ErrRejected) {
		t.Errorf("both refused: %v", err)
	}
}

func TestNextNonceRestartsTheCount(t *testing.T) {
	c := &Client{}
	req := answered(t, c, challenged(invite(), UAS, offered("n1")), invite(), always("alice", "secret"))
	c.Learn(learnt(req, `qop=auth, nextnonce="n2", rspauth="00", cnonce="`+sent(t, req, UAS).get("cnonce")+`", nc=00000001`))
	req = with(t, invite(), c.Authorize(invite()))
	if a := sent(t, req, UAS); a.get("nonce") != "n2" || a.get("nc") != "00000001" {
		t.Errorf("%v", a)
	}
	for _, foreign := range []string{`nextnonce="n3", cnonce="other"`, `nextnonce=""`, `nextnonce="n4`, `=`} {
		c.Learn(learnt(req, foreign))
		if a := sent(t, with(t, invite(), c.Authorize(invite())), UAS); a.get("nonce") != "n2" {
			t.Errorf("after %s: %v", foreign, a)
		}
	}
}

func TestSameNonceIsCountedOn(t *testing.T) {
	c := &Client{}
	one := answered(t, c, challenged(invite(), UAS, offered("n1")), invite(), always("alice", "secret"))
	two := answered(t, c, challenged(request("INFO", "sip:bob@192.0.2.9"), UAS, offered("n1")), request("INFO", "sip:bob@192.0.2.9"), always("alice", "secret"))
	if a, b := sent(t, one, UAS).get("nc"), sent(t, two, UAS).get("nc"); a != "00000001" || b != "00000002" {
		t.Errorf("counts %s and %s", a, b)
	}
}

func TestACKCarriesTheCredentialsOfItsINVITE(t *testing.T) {
	c := &Client{}
	req := answered(t, c, challenged(invite(), UAS, offered("n1")), invite(), always("alice", "secret"))
	if fields := c.Authorize(request("ACK", "sip:bob@192.0.2.9")); fields != nil {
		t.Errorf("ACK gets its own: %v", fields)
	}
	fields := ForACK(req)
	if len(fields) != 1 || fields[0].Value != req.Get("Authorization") {
		t.Errorf("ACK carries %v", fields)
	}
}

func TestAuthIntAloneCoversTheBody(t *testing.T) {
	req := invite()
	req.Body = []byte("v=0\r\n")
	again := answered(t, &Client{}, challenged(req, UAS, `Digest realm="r", nonce="n", qop="auth-int"`), req, always("alice", "secret"))
	a := sent(t, again, UAS)
	h := MD5.hash
	want := h(h("alice", "r", "secret"), "n", "00000001", a.get("cnonce"), "auth-int", h("INVITE", req.URI, h("v=0\r\n")))
	if a.get("qop") != "auth-int" || a.get("response") != want {
		t.Errorf("%v, want %s", a, want)
	}
}

func TestAnswerSaysWhyThereIsNone(t *testing.T) {
	all := always("alice", "secret")
	none := func(string) (Credentials, bool) { return Credentials{}, false }
	plain, ok := invite().Respond(401, "", "b"), invite().Respond(200, "", "b")
	ok.Add("WWW-Authenticate", offered("n"))
	for _, test := range []struct {
		name string
		res  *message.Message
		cred func(string) (Credentials, bool)
		want error
	}{
		{"no challenge", plain, all, ErrNoChallenge},
		{"a 200 with one", ok, all, ErrNoChallenge},
		{"no credentials", challenged(invite(), UAS, offered("n")), none, ErrNoCredentials},
		{"Basic", challenged(invite(), UAS, `Basic realm="r"`), all, ErrUnsupported},
		{"algorithm", challenged(invite(), UAS, offered("n", ", algorithm=SHA-1")), all, ErrUnsupported},
		{"qop", challenged(invite(), UAS, `Digest realm="r", nonce="n", qop="auth-conf"`), all, ErrUnsupported},
		{"session variant without qop", challenged(invite(), UAS, `Digest realm="r", nonce="n", algorithm=MD5-sess`), all, ErrUnsupported},
		{"no nonce", challenged(invite(), UAS, `Digest realm="r"`), all, ErrUnsupported},
		{"broken off", challenged(invite(), UAS, `Digest realm="r", nonce="n`), all, ErrUnsupported},
		{"a control character", challenged(invite(), UAS, offered("n\x00")), all, ErrUnsupported},
		{"a control character behind a backslash", challenged(invite(), UAS, offered("n\\\x00")), all, ErrUnsupported},
		{"a control character without quotes", challenged(invite(), UAS, offered("n", ", x=\x7f")), all, ErrUnsupported},
		{"too long", challenged(invite(), UAS, offered(strings.Repeat("n", mostBytes))), all, ErrUnsupported},
	} {
		if _, err := (&Client{}).Answer(test.res, invite(), test.cred); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// What gateways write: names in capitals, tabs, no quotes, empty members, an
// empty opaque, a realm in Latin-1.
func TestLooseChallengeIsEchoedByteByByte(t *testing.T) {
	value := "DIGEST\tRealm=\"T\xe9l\xe9 \\\"x\\\"\",,NONCE=a+b/c==, opaque=\"\" ,QOP=\"auth-int , AUTH\", Algorithm=\"md5\", UserHash=true"
	req := answered(t, &Client{}, challenged(invite(), UAS, value), invite(), always(`al"ice`, "secret"))
	got := req.Get("Authorization")
	for _, want := range []string{
		"realm=\"T\xe9l\xe9 \\\"x\\\"\"", `nonce="a+b/c=="`, `opaque=""`, "qop=auth,", "algorithm=md5", `username="al\"ice"`, "nc=00000001",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "userhash") {
		t.Errorf("user name is hashed: %s", got)
	}
}

func TestLineEndInAUserNameDoesNotEndTheField(t *testing.T) {
	fields, err := (&Client{}).Answer(challenged(invite(), UAS, offered("n")), invite(), always("a\r\nX: y", "secret"))
	if err != nil || message.CheckValue(fields[0].Value) != nil {
		t.Errorf("%q %v", fields, err)
	}
}
