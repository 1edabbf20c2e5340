package main

import (
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// TestAUserCallsFromAnywhereWithThePasswordOfTheFile also changes the file while
// the process runs: the next call wants the new password, and a file with a
// mistake leaves it at that.
func TestAUserCallsFromAnywhereWithThePasswordOfTheFile(t *testing.T) {
	alice, bob := agent(t), agent(t)
	dir := deployment(t, bob.Addr.String(), "users: {file: users.yaml, realm: home.example}\n")
	yaml, users := filepath.Join(dir, "legwork.yaml"), filepath.Join(dir, "users.yaml")
	write(t, yaml, strings.Replace(read(t, yaml), "127.0.0.0/8", "192.0.2.0/24", 1))
	write(t, users, "alice: wonderland\n")
	r := serve(t, dir)
	if got := r.called(alice, "mallory", "wonderland"); got.Status != 401 {
		t.Errorf("nobody: %d", got.Status)
	}
	if got := r.called(alice, "alice", "looking-glass"); got.Status != 401 {
		t.Errorf("a wrong password: %d", got.Status)
	}
	bob.Hear(func(in *simnet.Incoming) {
		if in.Message.Method == "INVITE" {
			in.Reply(486, nil)
		}
	})
	if got := r.called(alice, "alice", "wonderland"); got.Status != 480 { // as the script tells a 486
		t.Errorf("the right password: %d", got.Status)
	}
	write(t, users, "alice: looking-glass\n")
	r.hangup()
	if got := r.called(alice, "alice", "wonderland"); got.Status != 401 {
		t.Errorf("the old password: %d", got.Status)
	}
	write(t, users, "alice: wonderland\nalice: wonderland\n")
	r.waitFor(`msg="reload failed" err=.*users\.yaml:2:1: `)
	if got := r.called(alice, "alice", "looking-glass"); got.Status != 480 {
		t.Errorf("the new password: %d", got.Status)
	}
	if strings.Contains(r.logged(), "wonderland") || strings.Contains(r.logged(), "looking-glass") {
		t.Error("a password is in the log:", r.logged())
	}
	if err := os.Remove(users); err != nil {
		t.Fatal(err)
	}
	r.ask("reload").expect(t, 2, `legwork\.yaml:\d+:15: users\.file: no file \S*users\.yaml; make it, or remove the key`)
}

// TestAPhoneIsCalledWhereItHasRegistered reloads in between: what is bound stays.
func TestAPhoneIsCalledWhereItHasRegistered(t *testing.T) {
	alice, bob := agent(t), agent(t)
	dir := deployment(t, "192.0.2.9", "users: {file: users.yaml, realm: home.example}\nregistrar: {enabled: true, expires: {max: 20m}}\n")
	yaml := filepath.Join(dir, "legwork.yaml")
	write(t, yaml, strings.Replace(read(t, yaml), "127.0.0.0/8", "192.0.2.0/24", 1))
	write(t, filepath.Join(dir, "users.yaml"), "alice: wonderland\nbob: {ha1: "+hashed("bob:home.example:builder")+"}\n")
	write(t, filepath.Join(dir, "main.lua"), `return {
  on_invite = function(call)
    return b2b.route { to = { aor = "sip:" .. call.req.uri.user .. "@home.example" } }
  end,
}
`)
	if err := os.Remove(filepath.Join(dir, "main_test.lua")); err != nil {
		t.Fatal(err)
	}
	r := serve(t, dir)
	register := func() *message.Message {
		m := bob.Invite("sip:home.example", "")
		m.Method = "REGISTER"
		m.Set("CSeq", "1 REGISTER")
		m.Set("To", "<sip:bob@home.example>")
		m.Set("Expires", "7200")
		return m
	}
	registered := r.proved(bob, register, "bob", "builder", "200 REGISTER")
	if got := registered.Get("Contact"); !strings.Contains(got, bob.Addr.String()) || !strings.Contains(got, "expires=1200") {
		t.Errorf("bound is %s", got)
	}
	r.hangup()
	invite := func() *message.Message { return alice.Invite("sip:bob@"+r.udp, demoSDP) }
	bob.Hear(func(in *simnet.Incoming) {
		if in.Message.Method == "INVITE" {
			in.Reply(603, nil)
		}
	})
	r.proved(alice, invite, "alice", "wonderland", "603")
	nobody := func() *message.Message { return alice.Invite("sip:carol@"+r.udp, demoSDP) }
	r.proved(alice, nobody, "alice", "wonderland", "404")
}

// hashed is an HA1.
func hashed(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }

// called is what becomes of a call once its challenge has been answered.
func (r *running) called(from *simnet.Agent, user, password string) *message.Message {
	r.t.Helper()
	invite := func() *message.Message { return from.Invite("sip:4711@"+r.udp, demoSDP) }
	return r.proved(from, invite, user, password, "401", "480")
}

// proved sends what build makes, answers the challenge, and returns the answer.
func (r *running) proved(from *simnet.Agent, build func() *message.Message, user, password string, wants ...string) *message.Message {
	r.t.Helper()
	first := build()
	if _, err := from.Send(first, r.udp); err != nil {
		r.t.Fatal(err)
	}
	challenge := next(r.t, from, "401 "+first.Method).Message
	if got := challenge.Get("WWW-Authenticate"); !strings.Contains(got, `realm="home.example"`) {
		r.t.Errorf("challenged by %s", got)
	}
	var client digest.Client
	headers, err := client.Answer(challenge, first, func(string) (digest.Credentials, bool) {
		return digest.Credentials{User: user, Password: password}, true
	})
	if err != nil {
		r.t.Fatal(err)
	}
	again := build()
	again.Headers = append(again.Headers, headers...)
	if _, err := from.Send(again, r.udp); err != nil {
		r.t.Fatal(err)
	}
	answer, err := from.Next(patience, wants...)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, r.logged())
	}
	return answer.Message
}

func TestTheConfigurationSaysWhichAlgorithmsAreOffered(t *testing.T) {
	for listed, want := range map[string][]string{
		"":                             {"MD5"},
		", algorithms: [SHA-256]":      {"SHA-256"},
		", algorithms: [SHA-256, MD5]": {"SHA-256", "MD5"},
	} {
		alice, bob := agent(t), agent(t)
		dir := deployment(t, bob.Addr.String(), "users: {file: users.yaml, realm: home.example"+listed+"}\n")
		yaml := filepath.Join(dir, "legwork.yaml")
		write(t, yaml, strings.Replace(read(t, yaml), "127.0.0.0/8", "192.0.2.0/24", 1))
		write(t, filepath.Join(dir, "users.yaml"), "alice: wonderland\n")
		r := serve(t, dir)
		if _, err := alice.Send(alice.Invite("sip:4711@"+r.udp, demoSDP), r.udp); err != nil {
			t.Fatal(err)
		}
		offered := next(t, alice, "401 INVITE").Message.All("WWW-Authenticate")
		if len(offered) != len(want) {
			t.Errorf("%s: offered %q", listed, offered)
			continue
		}
		for i, algorithm := range want {
			if !strings.Contains(offered[i], "algorithm="+algorithm+",") {
				t.Errorf("%s: offered %q", listed, offered)
			}
		}
		bob.Hear(func(in *simnet.Incoming) {
			if in.Message.Method == "INVITE" {
				in.Reply(486, nil)
			}
		})
		if got := r.called(alice, "alice", "wonderland"); got.Status != 480 { // as the script tells a 486
			t.Errorf("%s: %d", listed, got.Status)
		}
	}
}
