package main

import (
	"crypto/md5"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"legwork/cmd/legwork/sipptest"
)

// drama is a flow whose messages stand in the test, in the words of
// sipptest's stories. In all its texts @CALLER@ is the caller's address,
// @FIRST@, @SECOND@ and @THIRD@ those of the callees and @SELF@ Legwork's.
type drama struct {
	lua     string            // of on_invite, or a whole script
	config  string            // besides the trunks first, second and third
	trunk   string            // keys of trunk first
	phones  string            // keys of the caller's trunk
	files   map[string]string // beside the configuration
	caller  string
	callees []string // one at each trunk
	args    []string // of the caller's SIPp
	udp     bool     // where it means nothing over TCP
	repeats bool     // are what it is about
}

func (d drama) playEach(t *testing.T) {
	for _, b := range []between{{"u1", "u1"}, {"t1", "t1"}} {
		if d.udp && b.caller == "t1" {
			continue
		}
		t.Run(b.String(), func(t *testing.T) {
			t.Parallel()
			d.play(t, b)
		})
	}
}

func (d drama) play(t *testing.T, b between) {
	const host = "127.0.0.1"
	names := []string{"@CALLER@", "@FIRST@", "@SECOND@", "@THIRD@"}
	var at []string
	var pairs []string
	for _, n := range names {
		at = append(at, sipptest.Address(t))
		pairs = append(pairs, n, at[len(at)-1])
	}
	said := strings.NewReplacer(append(pairs, "@TRANSPORT@", map[byte]string{'u': "udp", 't': "tcp"}[b.callee[0]])...)
	var callees []*sipptest.Process
	for i, story := range d.callees {
		if story != "" {
			callees = append(callees, sipptest.Start(t, sipptest.Scenario{
				Story: said.Replace(story), Transport: b.callee, Calls: 1, Local: at[i+1], Timeout: patience / 2,
			}))
		}
	}
	dir := t.TempDir()
	r := serve(t, d.deploy(t, dir, said, at, b))
	self := r.listening(b.caller, host)
	caller := sipptest.Start(t, sipptest.Scenario{
		Story: strings.ReplaceAll(said.Replace(d.caller), "@SELF@", self), Transport: b.caller, Service: "one", Calls: 1,
		Local: at[0], Remote: self, Timeout: patience / 2, Args: append([]string{"-cid_str", "%u-%p"}, d.args...),
	})
	d.finish(t, caller)
	for _, p := range callees {
		if t.Failed() { // it may wait in vain
			t.Log(p.Trouble())
			continue
		}
		d.finish(t, p)
	}
	if t.Failed() {
		t.Fatal(r.logged())
	}
	r.settles("legwork_calls_active", 0)
	r.unhurt()
}

func (d drama) finish(t *testing.T, p *sipptest.Process) {
	t.Helper()
	flow{repeats: d.repeats}.finish(t, p)
}

// deploy writes the configuration of a drama.
func (d drama) deploy(t *testing.T, dir string, said *strings.Replacer, at []string, b between) string {
	t.Helper()
	lua := d.lua
	if !strings.Contains(lua, "local M") {
		lua = "local M = {}\nfunction M.on_invite(call)\n" + lua + "\nend\nreturn M\n"
	}
	write(t, filepath.Join(dir, "main.lua"), said.Replace(lua))
	for name, text := range d.files {
		write(t, filepath.Join(dir, name), said.Replace(text))
	}
	text := `listen:
  - {name: udp, transport: udp, address: "127.0.0.1:0"}
  - {name: tcp, transport: tcp, address: "127.0.0.1:0"}
script: main.lua
admin: {address: "127.0.0.1:0"}
limits: {per_source_cps: 0}
log: {level: debug}
trunks:
  phones: {match: ["127.0.0.0/8"], ` + d.phones + "}\n"
	for i, name := range []string{"first", "second", "third"} {
		text += "  " + name + ": {targets: [\"" + trunkURI(at[i+1], b.callee) + "\"]"
		if i == 0 && d.trunk != "" {
			text += ", " + d.trunk
		}
		text += "}\n"
	}
	write(t, filepath.Join(dir, "legwork.yaml"), text+said.Replace(d.config))
	return dir
}

// What many dramas end with.
const (
	// A caller's, when it has been answered.
	hangsUp = `
		> ACK
		pause 30
		> BYE
		< 200`
	// And the callee's.
	isHungUp = `
		< ACK
		< BYE
		> 200`
	calls = `
		> INVITE +sdp
		< 100`
	answers = `
		< INVITE
		> 180
		> 200 +sdp` + isHungUp
	rings = `
		< 180`
	losesTheRace = `
		< INVITE
		> 180
		< CANCEL
		> 200
		> 487 INVITE
		< ACK`
)

// playAll plays each drama as a test of its own.
func playAll(t *testing.T, dramas map[string]drama) {
	sipptest.Find(t)
	for name, d := range dramas {
		t.Run(name, func(t *testing.T) { d.playEach(t) })
	}
}

func md5of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}
