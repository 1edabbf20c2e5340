package main

import (
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
	r.ask("reload").expect(t, 1, `legwork\.yaml:\d+:15: users\.file: no file \S*users\.yaml; make it, or remove the key`)
}

// called is what becomes of a call once its challenge has been answered.
func (r *running) called(from *simnet.Agent, user, password string) *message.Message {
	r.t.Helper()
	invite := from.Invite("sip:4711@"+r.udp, demoSDP)
	if _, err := from.Send(invite, r.udp); err != nil {
		r.t.Fatal(err)
	}
	challenge := next(r.t, from, "401").Message
	if got := challenge.Get("WWW-Authenticate"); !strings.Contains(got, `realm="home.example"`) {
		r.t.Errorf("challenged by %s", got)
	}
	var client digest.Client
	headers, err := client.Answer(challenge, invite, func(string) (digest.Credentials, bool) {
		return digest.Credentials{User: user, Password: password}, true
	})
	if err != nil {
		r.t.Fatal(err)
	}
	again := from.Invite("sip:4711@"+r.udp, demoSDP)
	again.Headers = append(again.Headers, headers...)
	if _, err := from.Send(again, r.udp); err != nil {
		r.t.Fatal(err)
	}
	answer, err := from.Next(patience, "401", "480")
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.Message
}
