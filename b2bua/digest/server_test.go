package digest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
)

func newServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refusal(req *message.Message, role Role, fields []message.Header) *message.Message {
	res := req.Respond(role.Code(), "", "b")
	res.Headers = append(res.Headers, fields...)
	return res
}

func knows(user string, secret Secret) func(string) (Secret, bool) {
	return func(asked string) (Secret, bool) { return secret, asked == user }
}

// signed is an INVITE with alice's answer to a challenge of s.
func signed(t testing.TB, s *Server, c *Client, req *message.Message) *message.Message {
	t.Helper()
	return answered(t, c, refusal(req, UAS, s.Challenge(realm, UAS, Absent)), req, always("alice", "secret"))
}

func verify(s *Server, req *message.Message) Outcome {
	_, out := s.Verify(req, realm, UAS, knows("alice", Secret{Password: "secret"}))
	return out
}

func TestClientAndServerAgreeInEveryAlgorithm(t *testing.T) {
	for a := MD5; a <= SHA512t256; a++ {
		for _, role := range []Role{UAS, Proxy} {
			secrets := []Secret{{Password: "secret"}}
			if a != SHA512t256 { // a hash of that length is SHA-256's
				secrets = append(secrets, Secret{HA1: strings.ToUpper(a.hash("alice", realm, "secret"))})
			}
			for _, secret := range secrets {
				s, c := newServer(t, Config{Algorithms: []Algorithm{a}}), &Client{}
				req := request("REGISTER", "sip:legwork.example")
				if _, out := s.Verify(req, realm, role, knows("alice", secret)); out != Absent {
					t.Errorf("%s: without credentials %s", a, out)
				}
				req = answered(t, c, refusal(req, role, s.Challenge(realm, role, Absent)), req, always("alice", "secret"))
				if user, out := s.Verify(req, realm, role, knows("alice", secret)); out != OK || user != "alice" {
					t.Errorf("%s: %s of %q", a, out, user)
				}
				later := with(t, request("BYE", "sip:b2b@192.0.2.1:5062;transport=tcp"), c.Authorize(request("BYE", "sip:b2b@192.0.2.1:5062;transport=tcp")))
				if _, out := s.Verify(later, realm, role, knows("alice", secret)); out != OK {
					t.Errorf("%s: second request %s", a, out)
				}
				bad := answered(t, &Client{}, refusal(req, role, s.Challenge(realm, role, Absent)), request("REGISTER", "sip:legwork.example"), always("alice", "guess"))
				if _, out := s.Verify(bad, realm, role, knows("alice", secret)); out != Wrong {
					t.Errorf("%s: wrong password %s", a, out)
				}
			}
		}
	}
}

func TestChallengeOffersTheStrongestFirst(t *testing.T) {
	s := newServer(t, Config{})
	fields := s.Challenge(realm, Proxy, Absent)
	if len(fields) != 2 || !strings.Contains(fields[0].Value, "SHA-256") || !strings.Contains(fields[1].Value, "MD5") {
		t.Fatalf("%v", fields)
	}
	for _, f := range fields {
		if f.Name != "Proxy-Authenticate" || !strings.Contains(f.Value, `qop="auth"`) || strings.Contains(f.Value, "stale") {
			t.Errorf("%v", f)
		}
	}
	for _, why := range []Outcome{Stale, Replayed} {
		if f := s.Challenge(realm, UAS, why)[0]; f.Name != "WWW-Authenticate" || !strings.Contains(f.Value, "stale=true") {
			t.Errorf("after %s: %v", why, f)
		}
	}
	if fields := s.Challenge("a\r\nX: \"y", UAS, Absent); message.CheckValue(fields[0].Value) != nil {
		t.Errorf("realm ends the field: %q", fields[0].Value)
	}
}

func TestSameCountPassesOnce(t *testing.T) {
	s := newServer(t, Config{})
	req := signed(t, s, &Client{}, invite())
	for i, want := range []Outcome{OK, Replayed, Replayed} {
		if out := verify(s, req); out != want {
			t.Errorf("time %d: %s, want %s", i+1, out, want)
		}
	}
}

func TestSameCountPassesOnceWhoeverIsFirst(t *testing.T) {
	s := newServer(t, Config{})
	req := signed(t, s, &Client{}, invite())
	var passed, replayed atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			switch verify(s, req) {
			case OK:
				passed.Add(1)
			case Replayed:
				replayed.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() != 1 || replayed.Load() != 15 {
		t.Errorf("%d passed, %d were replayed", passed.Load(), replayed.Load())
	}
}

func TestRequestsMayOvertakeEachOther(t *testing.T) {
	s, c := newServer(t, Config{}), &Client{}
	reqs := []*message.Message{signed(t, s, c, invite())}
	for len(reqs) < 70 {
		reqs = append(reqs, with(t, invite(), c.Authorize(invite())))
	}
	for _, test := range []struct {
		nc   int
		want Outcome
	}{{3, OK}, {1, OK}, {2, OK}, {2, Replayed}, {70, OK}, {7, OK}, {6, Replayed}, {8, OK}, {7, Replayed}, {69, OK}, {70, Replayed}} {
		if out := verify(s, reqs[test.nc-1]); out != test.want {
			t.Errorf("count %d: %s, want %s", test.nc, out, test.want)
		}
	}
}

func TestWrongPasswordUsesNoCountUp(t *testing.T) {
	s, c := newServer(t, Config{}), &Client{}
	req := signed(t, s, c, invite())
	if _, out := s.Verify(req, realm, UAS, knows("alice", Secret{Password: "other"})); out != Wrong {
		t.Fatal(out)
	}
	if len(s.counts.used) != 0 {
		t.Error("a guess is remembered")
	}
	if out := verify(s, req); out != OK {
		t.Error(out)
	}
}

// Without qop there is no count (RFC 2069): one request for each nonce.
func TestAnswerWithoutQOPPassesOnceAndEndsTheNonce(t *testing.T) {
	s := newServer(t, Config{})
	plain := func(fields []message.Header) *message.Message {
		fields[0].Value = strings.Replace(fields[0].Value, `, qop="auth"`, "", 1)
		return answered(t, &Client{}, refusal(invite(), UAS, fields[:1]), invite(), always("alice", "secret"))
	}
	fields := s.Challenge(realm, UAS, Absent)
	counted := answered(t, &Client{}, refusal(invite(), UAS, fields), invite(), always("alice", "secret"))
	bare := plain(fields)
	for i, test := range []struct {
		req  *message.Message
		want Outcome
	}{{bare, OK}, {bare, Replayed}, {counted, Replayed}} {
		if out := verify(s, test.req); out != test.want {
			t.Errorf("request %d: %s, want %s", i+1, out, test.want)
		}
	}

	fields = s.Challenge(realm, UAS, Absent)
	counted = answered(t, &Client{}, refusal(invite(), UAS, fields), invite(), always("alice", "secret"))
	if first, second := verify(s, counted), verify(s, plain(fields)); first != OK || second != Replayed {
		t.Errorf("%s, then without a count %s", first, second)
	}
}

func TestNonceGrowsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newServer(t, Config{Lifetime: time.Minute}), &Client{}
		req := signed(t, s, c, invite())
		later := with(t, invite(), c.Authorize(invite()))
		claim, out := s.Read(with(t, invite(), c.Authorize(invite())), realm, UAS)
		if out != Claimed {
			t.Fatal(out)
		}
		<-time.After(time.Minute)
		if out := verify(s, req); out != OK {
			t.Errorf("at its age of a minute: %s", out)
		}
		<-time.After(time.Nanosecond)
		if claim, out := s.Read(later, realm, UAS); claim != nil || out != Stale {
			t.Errorf("after a minute: %s", out)
		}
		if out := claim.Check(Secret{Password: "secret"}, true); out != Stale {
			t.Errorf("after a minute of looking the user up: %s", out)
		}
		again := answered(t, c, refusal(later, UAS, s.Challenge(realm, UAS, Stale)), later, always("alice", "secret"))
		if out := verify(s, again); out != OK {
			t.Errorf("after a new challenge: %s", out)
		}
		if len(s.counts.used) != 1 || len(s.counts.ages) != 1 {
			t.Errorf("%d old nonces are kept", len(s.counts.used)-1)
		}
	})
}

func TestNonceOfAClockThatWasSetBackIsStale(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := newServer(t, Config{Now: func() time.Time { return now }})
	now = now.Add(24 * time.Hour)
	req := signed(t, s, &Client{}, invite())
	now = now.Add(-23 * time.Hour)
	if out := verify(s, req); out != Stale {
		t.Error(out)
	}
}

func TestForgottenNonceIsStaleAndNotUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Nonces: 2})
		var reqs []*message.Message
		for range 4 {
			reqs = append(reqs, signed(t, s, &Client{}, invite()))
			<-time.After(time.Second)
		}
		for i, test := range []struct {
			req  int
			want Outcome
		}{{1, OK}, {2, OK}, {3, OK}, {1, Stale}, {0, Stale}, {2, Replayed}, {3, Replayed}} {
			if out := verify(s, reqs[test.req]); out != test.want {
				t.Errorf("step %d: %s, want %s", i, out, test.want)
			}
		}
		if len(s.counts.used) != 2 {
			t.Errorf("%d nonces are remembered", len(s.counts.used))
		}
	})
}

func TestNonceHoldsForItsRealmRoleAndProcessOnly(t *testing.T) {
	secret := []byte("0123456789abcdef")
	s := newServer(t, Config{Secret: secret})
	req := signed(t, s, &Client{}, invite())
	renamed := func(from, to string) *message.Message {
		m := req.Clone()
		m.Set("Authorization", strings.Replace(req.Get("Authorization"), from, to, 1))
		return m
	}
	proxy := req.Clone()
	proxy.Set("Proxy-Authorization", req.Get("Authorization"))
	for _, test := range []struct {
		name  string
		s     *Server
		req   *message.Message
		realm string
		role  Role
		want  Outcome
	}{
		{"another process with the same secret", newServer(t, Config{Secret: secret, Now: func() time.Time { return time.Now().Add(-time.Second) }}), req, realm, UAS, OK},
		{"a process that started later", newServer(t, Config{Secret: secret}), req, realm, UAS, Stale},
		{"another secret", newServer(t, Config{}), req, realm, UAS, Stale},
		{"another realm", s, req, "other.example", UAS, Absent},
		{"another realm in the claim", s, renamed(realm, "other.example"), "other.example", UAS, Stale},
		{"a proxy", s, proxy, realm, Proxy, Stale},
		{"a changed nonce", s, renamed(`nonce="`, `nonce="x`), realm, UAS, Stale},
		{"itself", s, req, realm, UAS, OK},
	} {
		if _, out := test.s.Verify(test.req, test.realm, test.role, knows("alice", Secret{Password: "secret"})); out != test.want {
			t.Errorf("%s: %s, want %s", test.name, out, test.want)
		}
	}
}

// Outcome and work are the same; the clock is not asked, allocations are.
func TestUnknownUserLooksLikeAWrongPassword(t *testing.T) {
	s := newServer(t, Config{})
	req := signed(t, s, &Client{}, invite())
	claim, out := s.Read(req, realm, UAS)
	if out != Claimed {
		t.Fatal(out)
	}
	type person struct {
		secret Secret
		known  bool
	}
	work := map[string]float64{}
	for name, p := range map[string]person{
		"wrong password":   {Secret{Password: "0123456789abcdef"}, true},
		"wrong hash":       {Secret{HA1: strings.Repeat("0", 64)}, true},
		"unknown":          {Secret{}, false},
		"no secret":        {Secret{}, true},
		"broken hash":      {Secret{HA1: "00"}, true},
		"another hash":     {Secret{HA1: MD5.hash("alice", realm, "secret")}, true},
		"unknown but told": {Secret{Password: "secret"}, false},
	} {
		if out := claim.Check(p.secret, p.known); out != Wrong {
			t.Errorf("%s: %s", name, out)
		}
		work[name] = testing.AllocsPerRun(100, func() { claim.Check(p.secret, p.known) })
	}
	for name, n := range work {
		if n != work["unknown"] {
			t.Errorf("%s costs %v, an unknown user %v", name, n, work["unknown"])
		}
	}
}

func TestEmptyPasswordIsNone(t *testing.T) {
	s := newServer(t, Config{})
	req := answered(t, &Client{}, refusal(invite(), UAS, s.Challenge(realm, UAS, Absent)), invite(), always("alice", ""))
	if _, out := s.Verify(req, realm, UAS, knows("alice", Secret{})); out != Wrong {
		t.Error(out)
	}
}

func TestBrokenCredentialsAreToldFromWrongOnes(t *testing.T) {
	s := newServer(t, Config{})
	good := signed(t, s, &Client{}, invite()).Get("Authorization")
	drop := func(name string) string {
		i := strings.Index(good, " "+name+"=")
		end := strings.IndexByte(good[i:]+",", ',')
		return strings.TrimRight(good[:i]+strings.TrimPrefix(good[i:]+",", (good[i:] + ",")[:end+1]), ",")
	}
	looked := false
	for _, test := range []struct {
		name, value string
		want        Outcome
	}{
		{"none", "", Absent},
		{"another scheme", "Basic abc==", Absent},
		{"unreadable scheme", "Bearer a/b", Absent},
		{"no user", drop("username"), Malformed},
		{"no nonce", drop("nonce"), Malformed},
		{"no uri", drop("uri"), Malformed},
		{"no response", drop("response"), Malformed},
		{"no count", drop("nc"), Malformed},
		{"no cnonce", drop("cnonce"), Malformed},
		{"a count without qop", drop("qop"), Malformed},
		{"no realm", drop("realm"), Absent},
		{"count 0", strings.Replace(good, "nc=00000001", "nc=00000000", 1), Malformed},
		{"count with a sign", strings.Replace(good, "nc=00000001", "nc=+0000001", 1), Malformed},
		{"short count", strings.Replace(good, "nc=00000001", "nc=1", 1), Malformed},
		{"count in capitals", strings.Replace(good, "nc=00000001", "nc=0000000A", 1), Malformed},
		{"auth-int", strings.Replace(good, "qop=auth", "qop=auth-int", 1), Malformed},
		{"short response", good[:len(good)-2] + `"`, Malformed},
		{"userhash", good + ", userhash=true", Malformed},
		{"two users", good + `, username="bob"`, Malformed},
		{"broken off", good[:len(good)-1], Malformed},
		{"too long", good + `, x="` + strings.Repeat("x", mostBytes) + `"`, Malformed},
		{"too many parameters", good + manyParams(), Malformed},
		{"an algorithm we did not offer", strings.Replace(good, "algorithm=SHA-256", "algorithm=SHA-512-256", 1), Wrong},
		{"another uri", strings.Replace(good, "sip:bob@", "sip:bill@", 1), OtherURI},
		{"no uri at all", strings.Replace(good, "sip:bob@", ":", 1), OtherURI},
	} {
		req := invite()
		if test.value != "" {
			req.Add("Authorization", test.value)
		}
		_, out := s.Verify(req, realm, UAS, func(string) (Secret, bool) { looked = true; return Secret{}, false })
		if out != test.want {
			t.Errorf("%s: %s, want %s in %s", test.name, out, test.want, test.value)
		}
	}
	if looked {
		t.Error("a user was looked up")
	}
}

func manyParams() string {
	var b strings.Builder
	for i := range mostParams {
		fmt.Fprintf(&b, ", x%d=1", i)
	}
	return b.String()
}

func TestOurCredentialsAreFoundAmongOthers(t *testing.T) {
	s := newServer(t, Config{})
	good := signed(t, s, &Client{}, invite()).Get("Authorization")
	for name, values := range map[string][]string{
		"other realms":            {`Digest realm="x", nonce="y"`, good},
		"one line":                {`Digest realm="x", nonce="y", ` + good},
		"an algorithm not ours":   {strings.Replace(good, "SHA-256", "SHA-512-256", 1), good},
		"unreadable ones":         {"Digest =", "", `Digest x="`, good},
		"capitals and no quoting": {strings.NewReplacer("Digest", "DIGEST", "realm", "REALM", `"auth"`, "auth", "username=", "userName =\t").Replace(good)},
	} {
		s := newServer(t, Config{Secret: s.secret, Now: func() time.Time { return time.Now().Add(-time.Minute) }})
		req := invite()
		for _, v := range values {
			req.Add("Authorization", v)
		}
		if out := verify(s, req); out != OK {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func TestCredentialsAreReadUpToABound(t *testing.T) {
	s := newServer(t, Config{})
	req := invite()
	for range mostValues {
		req.Add("Authorization", `Digest realm="x", nonce="y"`)
	}
	req.Add("Authorization", signed(t, s, &Client{}, invite()).Get("Authorization"))
	if out := verify(s, req); out != Absent {
		t.Error(out)
	}
}

func TestServerRefusesWhatItCannotKeep(t *testing.T) {
	for name, cfg := range map[string]Config{
		"short secret":    {Secret: []byte("short")},
		"empty secret":    {Secret: []byte{}},
		"lifetime":        {Lifetime: -1},
		"nonces":          {Nonces: -1},
		"session variant": {Algorithms: []Algorithm{MD5Session}},
		"no algorithm":    {Algorithms: []Algorithm{0}},
		"twice":           {Algorithms: []Algorithm{MD5, MD5}},
	} {
		if _, err := NewServer(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestOutcomesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for o := Absent; o <= OtherURI; o++ {
		if name := o.String(); name == "unknown" || seen[name] {
			t.Errorf("outcome %d is called %q", o, name)
		}
		seen[o.String()] = true
	}
}

func TestANonceIsGoodAtThePlaceItWasSentTo(t *testing.T) {
	s := newServer(t, Config{})
	here, elsewhere := s.At("192.0.2.1"), s.At("192.0.2.66")
	fields := here.Challenge(realm, UAS, Absent)
	req := answered(t, &Client{}, refusal(invite(), UAS, fields), invite(), always("alice", "secret"))
	for _, at := range []*Server{elsewhere, s} {
		if _, out := at.Verify(req, realm, UAS, knows("alice", Secret{Password: "secret"})); out != Stale {
			t.Errorf("elsewhere: %s", out)
		}
	}
	_, nonce, _ := strings.Cut(fields[0].Value, `nonce="`)
	nonce, _, _ = strings.Cut(nonce, `"`)
	if !here.Gave(nonce, realm) || elsewhere.Gave(nonce, realm) || here.Gave(nonce, "other") || here.Gave("", realm) {
		t.Error("who gave the nonce?")
	}
	if _, out := here.Verify(req, realm, UAS, knows("alice", Secret{Password: "secret"})); out != OK {
		t.Errorf("here: %s", out)
	}
	if _, out := elsewhere.At("192.0.2.1").Verify(req, realm, UAS, knows("alice", Secret{Password: "secret"})); out != Replayed {
		t.Errorf("again: %s", out)
	}
}
