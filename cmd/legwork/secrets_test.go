package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// secretive is a deployment of secrets whose PBX is at an address.
func secretive(t *testing.T, pbx string) string {
	t.Helper()
	dir := deployment(t, "bob:target-secret@"+pbx, `users: {file: users.yaml, realm: home.example}
cdr: [{kind: jsonl, path: cdr.jsonl}]
log: {level: debug}
`)
	yaml := filepath.Join(dir, "legwork.yaml")
	text := strings.NewReplacer("127.0.0.0/8", "192.0.2.0/24", `admin: {address: "127.0.0.1:0"}`, `admin: {address: "127.0.0.1:0", token: admin-secret}`,
		"  pbx:\n", "  pbx:\n    health: {options: 0s}\n    auth: {user: acct, password: trunk-secret}\n").Replace(read(t, yaml))
	write(t, yaml, text)
	write(t, filepath.Join(dir, "users.yaml"), "alice: user-secret\n")
	write(t, filepath.Join(dir, "main.lua"), `return {
  on_invite = function(call)
    b2b.log.warn("call to " .. tostring(call.req.uri) .. " with Authorization: " .. tostring(call.req.h["Authorization"]))
    call:note("call to " .. tostring(call.req.uri))
    call.data.uri = tostring(call.req.uri)
    return b2b.route { to = { trunk = "pbx" } }
  end,
}
`)
	if err := os.Remove(filepath.Join(dir, "main_test.lua")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNoSecretOfACallIsShownAnywhere has a call that is full of them: a caller
// and a callee who ask for passwords, passwords in URIs, keys in SDP, a script
// that logs and notes what it sees. Nothing that people read shows one.
func TestNoSecretOfACallIsShownAnywhere(t *testing.T) {
	alice, bob := agent(t), agent(t)
	dir := secretive(t, bob.Addr.String())
	r := serve(t, dir)
	proofs := make(chan string, 1)
	bob.Hear(func(in *simnet.Incoming) {
		switch {
		case in.Message.Method != "INVITE":
		case in.Message.Get("Authorization") == "":
			in.Reply(401, func(m *message.Message) { m.Set("WWW-Authenticate", `Digest realm="bob", nonce="n"`) })
		default:
			proofs <- in.Message.Get("Authorization")
			in.Reply(486, nil)
		}
	})
	r.proved(alice, func() *message.Message {
		m := alice.Invite("sip:4711:uri-secret@"+r.udp, demoSDP+"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:bWVkaWEtc2VjcmV0\r\n")
		m.Set("From", strings.Replace(m.Get("From"), "@", ":from-secret@", 1))
		m.Set("Contact", strings.Replace(m.Get("Contact"), "@", ":contact-secret@", 1))
		return m
	}, "alice", "user-secret", "486")
	theirs := <-proofs
	id := r.waitFor(`msg="call ended" call=([0-9a-f]+)`)[1]
	secrets := []string{
		"user-secret", "trunk-secret", "uri-secret", "target-secret", "from-secret", "contact-secret", "admin-secret", "bWVkaWEtc2VjcmV0",
		proofIn(t, theirs),
	}
	shown := r.shown(dir, id)
	if found := regexp.MustCompile(`Authorization: Digest .*response=(\S+)`).FindStringSubmatch(shown["log"]); found == nil || found[1] != `***"` {
		t.Errorf("the script's line in the log: %q", found)
	}
	for where, text := range shown {
		if text == "" {
			t.Errorf("%s is empty", where)
		}
		for _, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s is in %s: %s", s, where, text[max(i-100, 0):min(i+50, len(text))])
			}
		}
	}
	for _, where := range []string{"log", "cdr", "/api/v1/calls/ID", "/api/v1/calls/ID/ladder", "/api/v1/trunks", "/api/v1/events"} {
		if !strings.Contains(shown[where], ":***@") {
			t.Errorf("nothing is masked in %s: the test proves nothing\n%s", where, shown[where])
		}
	}
}

// proofIn is the response parameter of credentials.
func proofIn(t *testing.T, credentials string) string {
	t.Helper()
	found := regexp.MustCompile(`response="([0-9a-f]{32})"`).FindStringSubmatch(credentials)
	if found == nil {
		t.Fatalf("no proof in %q", credentials)
	}
	return found[1]
}

// shown is all that the program shows of a call, by where; it ends with that.
func (r *running) shown(dir, id string) map[string]string {
	r.t.Helper()
	texts := map[string]string{}
	for _, path := range []string{
		"/api/v1/calls", "/api/v1/calls/ID", "/api/v1/calls/ID/ladder", "/api/v1/calls/ID/ladder?format=json", "/api/v1/calls/ID/ladder?format=html", "/api/v1/trunks", "/api/v1/bans", "/api/v1/script", "/api/v1/events", "/metrics",
	} {
		texts[path] = r.fetched(strings.Replace(path, "ID", id, 1))
	}
	for _, args := range [][]string{{"call", id}, {"call", id, "--json"}, {"ladder", id}, {"ladder", id, "--html"}, {"headers", id}, {"trunks"}, {"calls"}} {
		got := r.ask(append(args, "--token", "admin-secret")...)
		texts["legwork "+args[0]] += got.out + got.err
	}
	r.signal(syscall.SIGTERM)
	r.exit()
	texts["log"], texts["cdr"] = r.logged(), read(r.t, filepath.Join(dir, "cdr.jsonl"))
	got := run(r.t, dir, "check")
	texts["legwork check"] = got.out + got.err
	return texts
}

// fetched is an answer of the API, of a stream what comes at once.
func (r *running) fetched(path string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.admin+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer admin-secret")
	req.Header.Set("Last-Event-ID", "another-0") // all that is left of the events
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Type") == "text/event-stream; charset=utf-8" {
		time.AfterFunc(2*time.Second, cancel)
	}
	text, _ := io.ReadAll(res.Body)
	return string(text)
}
