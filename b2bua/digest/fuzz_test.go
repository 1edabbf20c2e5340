package digest

import (
	"strings"
	"testing"

	"legwork/b2bua/message"
)

// What a Client answers, a Server takes once: any user, password, method and
// URI, in any algorithm.
func FuzzAnswerIsTakenOnce(f *testing.F) {
	f.Add("alice", "secret", "INVITE", "sip:bob@legwork.example", uint8(0))
	f.Add(`DOMAIN\al"ice`, "p\xe4ss:word", "REGISTER", "sip:legwork.example;x=\"\\", uint8(1))
	f.Add("J\u00e4s\u00f8n Doe", "", "x", "*", uint8(2))
	f.Fuzz(func(t *testing.T, user, password, method, uri string, n uint8) {
		a := MD5 + Algorithm(n)%3
		role := Role(n >> 7)
		s, c := newServer(t, Config{Algorithms: []Algorithm{a}}), &Client{}
		req := &message.Message{Method: method, URI: uri}
		res := &message.Message{Status: role.Code(), Headers: s.Challenge(realm, role, Absent)}
		fields, err := c.Answer(res, req, always(user, password))
		if err != nil {
			t.Fatal(err)
		}
		if method == "ACK" || method == "CANCEL" {
			return
		}
		if message.CheckValue(fields[0].Value) != nil {
			t.Fatalf("%q ends its line", fields[0].Value)
		}
		req.Headers = fields
		if escape(user) != user && unescape(escape(user)) != user || unescape(escape(uri)) != uri || user == "" || uri == "" || len(fields[0].Value) > mostBytes {
			return // control characters were left out, or nothing to take
		}
		want := OK
		if password == "" {
			want = Wrong
		}
		if got, out := s.Verify(req, realm, role, knows(user, Secret{Password: password})); out != want || got != user {
			t.Fatalf("%s for %q in %s", out, got, fields[0].Value)
		}
		if _, out := s.Verify(req, realm, role, knows(user, Secret{Password: password})); want == OK && out != Replayed {
			t.Fatalf("second time: %s", out)
		}
	})
}

// Any field value is read without harm, what is answered to it is one line that
// names the nonce, and nobody gets in with it.
func FuzzFieldsAreHostile(f *testing.F) {
	s := newServer(f, Config{})
	f.Add(offered("n", ", algorithm=MD5-sess, opaque=\"\\\"\", stale=true"))
	f.Add(`Digest realm="a", nonce="b", Digest realm="c", nonce=d, qop="auth-int", Basic x==`)
	f.Add(signed(f, s, &Client{}, invite()).Get("Authorization"))
	f.Add(`nextnonce="x", cnonce="y", qop=auth`)
	f.Add("Digest realm=\"\\")
	f.Fuzz(func(t *testing.T, value string) {
		req := invite()
		req.Add("Authorization", value)
		req.Add("Proxy-Authorization", value)
		for _, role := range []Role{UAS, Proxy} {
			if _, out := s.Verify(req, realm, role, func(string) (Secret, bool) { return Secret{Password: "\x00"}, true }); out == OK {
				t.Fatalf("%q gets in", value)
			}
		}
		c := &Client{}
		res := challenged(invite(), UAS, value)
		res.Add("Proxy-Authenticate", value)
		fields, err := c.Answer(res, req, always("alice", "secret"))
		if err == nil && len(fields) == 0 {
			t.Fatalf("no answer and no error for %q", value)
		}
		c.Learn(learnt(invite(), value))
		fields = append(fields, c.Authorize(req)...)
		for _, field := range fields {
			auths, ok := readAuths(field.Value)
			if (!ok || len(auths) != 1) && len(field.Value) <= mostBytes {
				t.Fatalf("%q is answered with %q", value, field.Value)
			}
			if ok && !strings.Contains(value, auths[0].get("nonce")) {
				t.Fatalf("%q is answered with nonce %q", value, auths[0].get("nonce"))
			}
		}
	})
}
