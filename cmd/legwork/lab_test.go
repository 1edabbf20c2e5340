package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"legwork/b2bua/simnet"
)

// The grids are testdata/lab/EXAMPLE.txt; WRITE_LAB=1 writes them anew.
func TestExamplesOutliveBadNeighbours(t *testing.T) {
	for name, to := range map[string]string{
		"carrier-to-pbx": "+493023125200", "cucm": "5000", "failover": "+4930123456", "flows": "bob", "hello": "4711",
		"lcr-http": "+4930123456", "sip-trunk-register": "+4930123456", "teams-style-mtls": "+4930123456", "webrtc-edge": "4711",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, laboratory(t, name), "lab", "--to", to)
			grid, verdict, _ := strings.Cut(got.out, "\n\n")
			if got.code != 0 || got.err != "" || !strings.Contains(verdict, "each got a final answer, and nothing is left") {
				t.Errorf("exit %d: %s%s", got.code, got.err, verdict)
			}
			golden := filepath.Join("testdata", "lab", name+".txt")
			if os.Getenv("WRITE_LAB") != "" {
				write(t, golden, grid+"\n")
			}
			sameLines(t, grid, strings.TrimSpace(read(t, golden)))
		})
	}
}

// laboratory is an example with the certificates that it names.
func laboratory(t *testing.T, name string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/"+name)); err != nil {
		t.Fatal(err)
	}
	ca, err := simnet.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(simnet.Leaf{Names: []string{"sbc.example", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{"sbc.pem": cert, "sbc-key.pem": key, "cloud.pem": ca.PEM(), "cert.pem": cert, "key.pem": key} {
		write(t, filepath.Join(dir, file), string(text))
	}
	return dir
}

func sameLines(t *testing.T, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			t.Errorf("missing: %s", b[i])
		case i >= len(b):
			t.Errorf("too much: %s", a[i])
		case a[i] != b[i]:
			t.Errorf("line %d\n got %s\nwant %s", i+1, a[i], b[i])
		}
	}
}

func TestTheLabTellsAScriptThatFailsACaller(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.lua"), `local M = {}
function M.on_invite(call)
  return b2b.route { to = "sip:bob@192.0.2.9" }
end
function M.on_failure(call, leg, res)
  return res.status + nil
end
return M
`)
	got := run(t, dir, "lab", "--only", "busy,double-200")
	if got.code != 1 {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	holds(t, got.out, "busy ", "nobody known", "486 Busy Here after 0.1s", "1 script error", "double-200", "200 OK", "Errors of the scripts, busy", "main.lua:6", "1 call went wrong")
}

func TestTheLabTellsAScriptThatLetsACallerWaitForEver(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.lua"), `local M = {}
local api = b2b.http.client { base = "http://api.example" }
function M.on_invite(call)
  api:get("/caller")
  return b2b.route { to = "sip:bob@192.0.2.9", ring = 80000, budget = 86400 }
end
return M
`)
	got := run(t, dir, "lab", "--only", "busy,rings-for-ever")
	if got.code != 1 {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	holds(t, got.out, "busy", "486 Busy Here", "rings-for-ever  nobody known  nothing final ", " 1 ", " never  never ",
		"Look-ups that no stub answered", `{"http":"GET http://api.example/caller"`, "1 call went wrong")
}

func TestALabIsReadByMachines(t *testing.T) {
	got := run(t, "../../examples/failover", "lab", "--json", "--only=503-burst,no-ack", "--from=pbx")
	var told struct {
		To    string    `json:"to"`
		Calls []labCall `json:"calls"`
	}
	if err := json.Unmarshal([]byte(got.out), &told); err != nil || got.code != 0 || len(told.Calls) != 2 {
		t.Fatalf("exit %d, %v: %s%s", got.code, err, got.err, got.out)
	}
	burst, silence := told.Calls[0], told.Calls[1]
	switch {
	case told.To != "sip:+4930123456@sbc.example" || burst.Misbehaviour != "503-burst" || burst.Trunk != "pbx":
		t.Errorf("%s: %+v", told.To, burst)
	case burst.Code != 503 || burst.Reason != "No carrier" || len(burst.Attempts) != 3 || burst.Cleared < 32 || len(burst.Left) > 0:
		t.Errorf("%+v", burst)
	case silence.Code != 200 || silence.Lasted < 34 || silence.Story == nil || len(silence.Story.Steps) < 5:
		t.Errorf("%+v", silence)
	}
}

func TestALabIsAPageThatOpensLadders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lab.html")
	if got := run(t, "../../examples/failover", "lab", "--html", file, "--only=re-invite-glare,silent"); got.code != 0 {
		t.Fatal(got.err)
	}
	page := read(t, file)
	holds(t, page, "<!DOCTYPE html>", `href="#c1"`, "re-invite-glare", "silent", "503 No carrier after 12.0s", `id="c1"`,
		`src="data:text/html;charset=utf-8;base64,`, `id="c2"`)
	if strings.Contains(page, "http:") || strings.Contains(page, "https:") || strings.Contains(page, "<script") {
		t.Error("the page loads something, or runs it")
	}
}

func TestTheLabListsItsMisbehaviours(t *testing.T) {
	got := run(t, t.TempDir(), "lab", "--list")
	holds(t, got.out, "MISBEHAVIOUR", "silent", "the callee answers nothing at all", "200-after-cancel", "re-invite-glare", "lost-every-third")
	seen := map[string]bool{}
	for line := range strings.Lines(got.out) {
		name, says, _ := strings.Cut(line, " ")
		if seen[name] || strings.TrimSpace(says) == "" {
			t.Errorf("%s is there twice, or says nothing", name)
		}
		seen[name] = true
	}
}

func TestWhatALabCannotPlayIsSaid(t *testing.T) {
	for args, want := range map[string]string{
		"--only=silent,rude": "--only rude: there is no such misbehaviour; legwork lab --list has them",
		"--from=elsewhere":   `no call comes from a trunk "elsewhere"; from: carrier-a, carrier-b, pbx, reserve`,
		"--stub=none.json":   "none.json",
		"-c=none.yaml":       "none.yaml",
	} {
		got := run(t, "../../examples/failover", "lab", args)
		if got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit %d: %s", args, got.code, got.err)
		}
	}
}
