package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
)

const patience = 20 * time.Second

func TestAPortInUseNamesTheLineAndTheCure(t *testing.T) {
	taken, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.LocalAddr().String()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "legwork.yaml"), "listen:\n  - name: edge\n    transport: udp\n    address: \""+addr+"\"\nadmin: {address: \"\"}\n")
	got := run(t, dir, "run")
	want := `legwork: legwork.yaml:4:14: listener "edge": udp ` + addr + " is in use by another process; stop that process, or take another port\n"
	if got.code != 2 || !strings.HasSuffix(got.err, want) {
		t.Errorf("exit %d\n got %s\nwant %s", got.code, got.err, want)
	}
}

func TestATakenAdminPortIsNamedToo(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "legwork.yaml"), "listen:\n  - {transport: udp, address: \"127.0.0.1:0\"}\nadmin: {address: \""+addr+"\"}\n")
	got := run(t, dir, "run")
	want := "legwork: legwork.yaml:3:18: admin " + addr + " is in use by another process; stop that process, or take another port\n"
	if got.code != 2 || !strings.HasSuffix(got.err, want) {
		t.Errorf("exit %d\n got %s\nwant %s", got.code, got.err, want)
	}
}

func TestTheBuiltInScriptLeavesCallsToTheDefaultRoute(t *testing.T) {
	alice, bob := agent(t), agent(t)
	dir := deployment(t, bob.Addr.String(), "default_route: pbx\n")
	path := filepath.Join(dir, "legwork.yaml")
	write(t, path, strings.Replace(read(t, path), "script: main.lua\n", "", 1))
	serve(t, dir).talk(alice, bob).hangUp()
}

func TestRecordsThatCannotBeWrittenAreNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "records"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "legwork.yaml"), "admin: {address: \"\"}\ncdr:\n  - {kind: jsonl, path: records}\n")
	got := run(t, dir, "run")
	want := "legwork: legwork.yaml:3:25: cdr: open records: is a directory; name a file that this user may write\n"
	if got.code != 2 || !strings.HasSuffix(got.err, want) {
		t.Errorf("exit %d\n got %s\nwant %s", got.code, got.err, want)
	}
}

func TestWhatIsWrongAtStartHasPlaceAndCure(t *testing.T) {
	for name, c := range map[string]struct{ yaml, lua, want string }{
		"unknown key":   {"trunk: {}\n", "", "legwork: legwork.yaml:1:1: unknown key \"trunk\"; did you mean \"trunks\"?\n"},
		"no such trunk": {"trunks: {pbx: {targets: [\"sip:192.0.2.1\"]}}\ndefault_route: pxb\n", "", "legwork: legwork.yaml:2:16: default_route: no trunk \"pxb\"; did you mean \"pbx\"?\n"},
		"syntax":        {"script: main.lua\n", "local M = {}\nM.x = = 1\nreturn M\n", "legwork: main.lua:2"},
		"typo in a hook": {
			"script: main.lua\n", "local M = {}\nfunction M.on_invte(call) end\nreturn M\n",
			"legwork: main.lua:2:",
		},
		"undeclared global": {"script: main.lua\n", "local M = {}\nfunction M.on_invite(call)\n  return b2c.drop()\nend\nreturn M\n", "legwork: main.lua:3:"},
		"param of another type": {
			"script: main.lua\ntrunks:\n  a.b:\n    targets: [\"sip:192.0.2.1\"]\n    params:\n      country: 49\n",
			"local M = {}\nM.params = { country = { type = \"string\", default = \"DE\" } }\nreturn M\n",
			"legwork: legwork.yaml:6:16: trunk a.b: params.country: want a string, got 49; write one, or change M.params\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "legwork.yaml"), c.yaml)
			if c.lua != "" {
				write(t, filepath.Join(dir, "main.lua"), c.lua)
			}
			for _, command := range []string{"run", "check"} {
				got := run(t, dir, command)
				text := got.err
				if command == "check" {
					text = "legwork: " + strings.ReplaceAll(got.out, ": error:", ":")
				}
				if got.code != 2 || !strings.HasPrefix(text, c.want) {
					t.Errorf("%s: exit %d\n got %s\nwant %s", command, got.code, text, c.want)
				}
			}
		})
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	got := run(t, t.TempDir(), "run", "-c", "nowhere.yaml")
	if got.code != 2 || !strings.Contains(got.err, "nowhere.yaml: there is no such file; legwork init writes one") {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
}

// talk is a call of an agent's through a running Legwork that an agent answered.
type talk struct {
	alice, bob *simnet.Agent
	hangUp     func() // by alice
}

func agent(t *testing.T) *simnet.Agent {
	t.Helper()
	a, err := simnet.NewAgent(transport.System{}, "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func next(t *testing.T, a *simnet.Agent, want string) *simnet.Incoming {
	t.Helper()
	in, err := a.Next(patience, want)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (r *running) talk(alice, bob *simnet.Agent) talk {
	r.t.Helper()
	invite := alice.Invite("sip:4711@"+r.udp, demoSDP)
	if _, err := alice.Send(invite, r.udp); err != nil {
		r.t.Fatal(err)
	}
	in := next(r.t, bob, "INVITE")
	in.Reply(200, withSDP)
	ok := next(r.t, alice, "200")
	d := alice.Dialog(invite, ok.Message, false)
	if _, err := alice.SendACK(alice.In(d, "ACK", 1), r.udp); err != nil {
		r.t.Fatal(err)
	}
	next(r.t, bob, "ACK")
	return talk{alice, bob, func() {
		if _, err := alice.Send(alice.In(d, "BYE", d.Next()), r.udp); err != nil {
			r.t.Error(err)
		}
		next(r.t, bob, "BYE").Reply(200, nil)
		next(r.t, alice, "200 BYE")
	}}
}

func TestSIGTERMWaitsForTheLastCall(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	call := r.talk(alice, bob)
	r.signal(syscall.SIGTERM)
	r.waitFor(`msg=draining by=terminated calls=1`)
	if _, err := alice.Send(alice.Invite("sip:4711@"+r.udp, demoSDP), r.udp); err != nil {
		t.Fatal(err)
	}
	refused := next(t, alice, "503")
	if refused.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	call.hangUp()
	if code := r.exit(); code != 0 {
		t.Errorf("exit %d\n%s", code, r.logged())
	}
}

func TestASecondSignalHangsUp(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	r.talk(alice, bob)
	r.signal(syscall.SIGTERM)
	r.waitFor(`msg=draining`)
	r.signal(syscall.SIGINT)
	next(t, alice, "BYE").Reply(200, nil)
	next(t, bob, "BYE").Reply(200, nil)
	if code := r.exit(); code != 0 {
		t.Errorf("exit %d\n%s", code, r.logged())
	}
}

func TestDrainTimeoutHangsUp(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), "drain: {timeout: 100ms}\n"))
	r.talk(alice, bob)
	r.signal(syscall.SIGTERM)
	next(t, alice, "BYE").Reply(200, nil)
	next(t, bob, "BYE").Reply(200, nil)
	if code := r.exit(); code != 0 {
		t.Errorf("exit %d\n%s", code, r.logged())
	}
}
