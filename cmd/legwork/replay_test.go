package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/cmd/legwork/config"
)

const loggedConfig = `
listen: [{name: udp, transport: udp, address: "192.0.2.1:5060"}]
admin: {address: ""}
script: main.lua
replay: {path: decisions}
trunks:
  pbx: {match: [192.0.2.66]}
  carrier-a: {targets: ["sip:192.0.2.11"], limits: {calls: 4}}
  carrier-b: {targets: ["sip:192.0.2.12", "sip:192.0.2.13"], limits: {calls: 2}, auth: {user: us, password: secret}}
  carrier-c: {targets: ["sip:192.0.2.14"]}
`

// loggedScript decides by all that a decision may stand on but look-ups.
const loggedScript = `
local M = {}
function M.on_invite(call)
  local n = b2b.store:incr("calls")
  if not b2b.limit.concurrent("all", 3) then return b2b.reject(486) end
  if b2b.random.number() < 0.1 then return b2b.reject(480, "Bad luck") end
  local paced, open = b2b.limit.rate("pace", 0.02), b2b.time.in_hours("Mo-Fr 08:00-12:00", "UTC")
  local to = { { trunk = "carrier-a", weight = 2 }, { trunk = "carrier-b", weight = 1 } }
  return b2b.route { to = to, strategy = "weighted", try = 5, headers = { set = {
    ["X-Told"] = n .. " " .. tostring(paced) .. " " .. tostring(open) .. " " .. math.random(1000) .. " " .. b2b.uuid() .. " " .. call.source.port } } }
end
function M.on_failure(call, leg, res) call:note("failed: " .. leg.trunk.name .. (res and res.status or "")) end
return M
`

// logDay lets an engine serve calls for ten hours of virtual time and log what
// it decides.
func logDay(t *testing.T, dir string, calls int) { logTime(t, dir, loggedScript, calls, 10*time.Hour) }

// logTime is the same for another script and time.
func logTime(t *testing.T, dir, script string, calls int, within time.Duration) {
	t.Helper()
	write(t, filepath.Join(dir, "legwork.yaml"), loggedConfig)
	write(t, filepath.Join(dir, "main.lua"), script)
	cfg, err := config.Load(filepath.Join(dir, "legwork.yaml"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Faults{})
		e, err := start(t.Context(), setup{Config: cfg, Network: n, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range []struct {
			addr string
			hear func(*simnet.Incoming)
		}{{"192.0.2.11:5060", wantsRest}, {"192.0.2.12:5060", wantsPassword}, {"192.0.2.13:5060", func(*simnet.Incoming) {}}} {
			a, err := simnet.NewAgent(n, "udp", one.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			a.Hear(one.hear)
		}
		a, err := simnet.NewAgent(n, "udp", "192.0.2.66:5062")
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		a.Hear(func(in *simnet.Incoming) { talksLong(a, in) })
		for i := range calls {
			if _, err := a.Send(a.Invite(fmt.Sprintf("sip:+4477%04d@192.0.2.1", i), ""), "192.0.2.1:5060"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(within / time.Duration(calls))
		}
		time.Sleep(time.Hour)
		if err := e.shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// repliesWith rings, and sends a final response.
func repliesWith(code int, after time.Duration) func(*simnet.Incoming) {
	return func(in *simnet.Incoming) {
		switch {
		case in.Method == "INVITE" && in.IsRequest():
			if code == 200 {
				in.Reply(180, nil)
			}
			time.AfterFunc(after, func() { in.Reply(code, nil) })
		case in.Method == "BYE" && in.IsRequest():
			in.Reply(200, nil)
		}
	}
}

// wantsRest refuses for a while.
func wantsRest(in *simnet.Incoming) {
	if in.Method == "INVITE" && in.IsRequest() {
		in.Reply(503, func(m *message.Message) { m.Set("Retry-After", "50") })
	}
}

// wantsPassword wants a password, and answers.
func wantsPassword(in *simnet.Incoming) {
	if in.Method == "INVITE" && in.IsRequest() && in.Get("Proxy-Authorization") == "" {
		in.Reply(407, func(m *message.Message) { m.Set("Proxy-Authenticate", `Digest realm="b", nonce="n1", algorithm=MD5`) })
		return
	}
	repliesWith(200, 3*time.Second)(in)
}

// talksLong is the caller: it acknowledges and hangs up after ten minutes.
func talksLong(a *simnet.Agent, in *simnet.Incoming) {
	switch {
	case in.IsRequest():
		in.Reply(200, nil)
	case in.Method == "INVITE" && in.Status/100 == 2:
		d := a.Dialog(in.Message, in.Message, false)
		cseq, _, _ := in.CSeq()
		_, _ = a.SendACK(a.In(d, "ACK", cseq), "192.0.2.1:5060")
		time.AfterFunc(10*time.Minute, func() { _, _ = a.Send(a.In(d, "BYE", d.Next()), "192.0.2.1:5060") })
	}
}

func TestReplayOfADayWithTheSameScriptsChangesNothing(t *testing.T) {
	dir := t.TempDir()
	logDay(t, dir, 240)
	got := run(t, dir, "replay", "--since", "2000-01-01")
	if got.code != 0 || got.out != "240 calls played again, none changes\n" {
		t.Errorf("exit %d:\n%s%s", got.code, got.out, got.err)
		t.Log(run(t, dir, "replay", "--since", "2000-01-01", "--open", "1").out)
	}
	for _, file := range readAll(t, filepath.Join(dir, "decisions")) {
		if strings.Contains(file, "secret") {
			t.Error("a password is in the log")
		}
	}
}

// Who rested, and what was in progress, when the first of the calls came has to be
// known without the calls before it.
func TestReplayOfAPartOfADayChangesNothing(t *testing.T) {
	dir := t.TempDir()
	logTime(t, dir, `
local M = {}
function M.on_invite(call)
  local odd = call.req.uri.user:match("[13579]$")
  return b2b.route { to = { { trunk = "carrier-a" }, { trunk = "carrier-b" }, { trunk = "carrier-c", ring = 1 } }, strategy = odd and "least_loaded" or "serial" }
end
return M
`, 60, 10*time.Minute)
	for from := 5; from < 60; from += 7 {
		at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(from)*10*time.Second - time.Second)
		for _, only := range []string{"", "447700"} {
			got := run(t, dir, "replay", "--since", at.Format(time.RFC3339), "--number", only)
			if got.code != 0 || !strings.Contains(got.out, "none changes") {
				t.Errorf("exit %d: %s%s", got.code, got.out, got.err)
			}
		}
	}
}

func TestReplayGroupsTheCallsThatChange(t *testing.T) {
	dir := t.TempDir()
	logDay(t, dir, 60)
	changed := strings.Replace(loggedScript, `{ trunk = "carrier-a", weight = 2 }, { trunk = "carrier-b", weight = 1 }`, `{ trunk = "carrier-c" }`, 1)
	if err := os.Mkdir(filepath.Join(dir, "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "new", "main.lua"), changed)
	got := run(t, dir, "replay", "--since", "2000-01-01", "--script", "new", "--b", "486")
	holds(t, got.out, "60 calls played again, ", " change", "carrier-a, carrier-b -> carrier-c, unknown callee, prefix 4477", "--open 1")
	got = run(t, dir, "replay", "--since", "2000-01-01", "--script", "new", "--open", "1")
	holds(t, got.out, "as it went", "carrier-a", "407 ", "as it goes", "route carrier-c")
	got = run(t, dir, "replay", "--since", "2000-01-01", "--script", "new", "--json")
	var report replayReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.Calls != 60 || report.Changed == 0 || len(report.Groups) == 0 {
		t.Errorf("%v: %s", err, got.out)
	}
}

func TestReplayNamesTheLookUpsThatTheLogHasNot(t *testing.T) {
	dir := t.TempDir()
	logDay(t, dir, 20)
	write(t, filepath.Join(dir, "other.lua"), `
local M = {}
local api = b2b.http.client { base = "https://api.example" }
function M.on_invite(call)
  local r = api:get("/n/" .. call.req.uri.user)
  return b2b.route { to = { { trunk = r and r.json.trunk or "carrier-a" } } }
end
return M
`)
	got := run(t, dir, "replay", "--since", "2000-01-01", "--script", "other.lua")
	holds(t, got.out, "20  needs look-up http GET https://api.example/n/", "prefix 4477")
	write(t, filepath.Join(dir, "stub.json"), `[{"http": "GET https://api.example/n/*", "answer": {"status": 200, "json": {"trunk": "carrier-b"}}}]`)
	got = run(t, dir, "replay", "--since", "2000-01-01", "--script", "other.lua", "--stub", "stub.json")
	holds(t, got.out, "-> carrier-b")
	if strings.Contains(got.out, "needs") {
		t.Error(got.out)
	}
}

func TestReplayWithoutALogSaysHowToGetOne(t *testing.T) {
	dir := t.TempDir()
	got := run(t, dir, "replay")
	if got.code != 2 || !strings.Contains(got.err, "replay: {path: ...}") {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
}

func readAll(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return all
}

func TestReplayPlaysARealCallAgainWithoutASocket(t *testing.T) {
	asked := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = w.Write([]byte(`{"gold": true}`))
	}))
	alice, bob := agent(t), agent(t)
	dir := deployment(t, bob.Addr.String(), "replay: {path: decisions}\n")
	script := `
local api = b2b.http.client { base = "` + api.URL + `" }
local M = {}
function M.on_invite(call)
  local r = api:get("/who/" .. call.req.uri.user)
  return b2b.route { to = { { trunk = "pbx" } }, headers = { set = { ["X-Gold"] = tostring(r and r.json.gold),
    ["X-When"] = b2b.time.now() .. " " .. call.elapsed .. " " .. os.time() .. os.date("!%X"), ["X-Call"] = call.id, ["X-Via"] = call.req.h["Via"] .. #call.req.raw, ["X-Clock"] = os.clock() } } }
end
function M.on_branch(call, leg, req)
  req.h["X-From"] = tostring(leg.local_host) .. " " .. tostring(call.a.local_host) .. " " .. call.elapsed
  req.h["X-Load"] = leg.trunk.stats.attempts .. " " .. tostring(leg.trunk.up) .. " " .. b2b.trunk.stats("pbx").calls .. tostring(b2b.trunk.up("pbx"))
end
return M
`
	write(t, filepath.Join(dir, "main.lua"), script)
	for _, file := range []string{"main_test.lua", "hello_test.lua"} {
		_ = os.Remove(filepath.Join(dir, file)) // of the script that was there
	}
	r := serve(t, dir)
	for range 2 {
		r.talk(alice, bob).hangUp()
	}
	r.signal(syscall.SIGTERM)
	if code := r.exit(); code != 0 {
		t.Fatal(r.logged())
	}
	api.Close()
	if got := run(t, dir, "replay"); got.out != "2 calls played again, none changes\n" {
		t.Errorf("%s%s\n%s", got.out, got.err, run(t, dir, "replay", "--open", "1").out)
	}
	if asked != 2 {
		t.Errorf("the server was asked %d times", asked)
	}
	write(t, filepath.Join(dir, "main.lua"), strings.Replace(script, "X-Gold", "X-Silver", 1))
	got := run(t, dir, "replay")
	holds(t, got.out, "2 calls played again, 2 change", "2  pbx: X-Gold, X-Silver, prefix 4711")
	holds(t, run(t, dir, "replay", "--number", "471").out, "2 calls played again")
	for _, nobody := range []string{"127", "nobody"} { // 127.0.0.1 is no number
		holds(t, run(t, dir, "replay", "--number", nobody).err, "the log holds no such call")
	}
	got = run(t, dir, "replay", "--open", "2")
	holds(t, got.out, "as it went", "as it goes", "INVITE to pbx:", "+ X-Silver: true", "- X-Gold: true")
}
