package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"legwork/script"
)

func TestTheGenerationsAreListed(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	r.ask("deploy").expect(t, 2, `say what is to be done, one thing: a folder, --status`)
	call := r.talk(alice, bob)
	main := filepath.Join(r.dir, "main.lua")
	write(t, main, read(t, main)+"\n-- another\n")
	r.ask("reload").expect(t, 0, `^reloaded`)
	r.ask("deploy", "--status").expect(t, 0, `GENERATION +STATE +AGE +CALLS +ACTIVE +ERRORS`, `main\.lua@\w{8} +live +\d+s +0 +0 +0`, `main\.lua@\w{8} +old +\d+s +1 +1 +0`)
	call.hangUp()
	var s script.Status
	if err := json.Unmarshal([]byte(r.ask("deploy", "--status", "--json").out), &s); err != nil || len(s.Generations) < 1 || s.Generations[0].State != script.Live {
		t.Errorf("%+v, %v", s, err)
	}
	write(t, main, "nonsense")
	r.ask("reload").expect(t, 2, `main\.lua:1`)
	r.ask("deploy", "--status").expect(t, 0, ` live `, `not loaded since .*main\.lua:1`)
}

func TestAnErringScriptIsBenchedAndEverybodyIsTold(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), "deploy: {bench: {errors: 1}}\n"))
	events := r.follow("--types", "script.benched,trunk")
	main := filepath.Join(r.dir, "main.lua")
	write(t, main, strings.Replace(read(t, main), "\nreturn M\n", "\nfunction M.on_end() error('no luck') end\nreturn M\n", 1))
	r.ask("reload").expect(t, 0, `^reloaded`)
	r.talk(alice, bob).hangUp()
	events.until("script.benched", "has errors: 1 within", "is live until a reload")
	r.ask("deploy", "--status").expect(t, 0, ` live +\d+s +0 `, ` benched +\d+s +1 +0 +1`, `not loaded since .*has errors: 1 within`)
	for page, want := range map[string]string{"/metrics": "legwork_script_benched_total 1\n", "/readyz": "ready"} {
		if got := r.page(page); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", page, want, got)
		}
	}
}

// page is what the admin API answers to a GET.
func (r *running) page(path string) string {
	r.t.Helper()
	res, err := http.Get("http://" + r.admin + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// another writes scripts beside a deployment's: its own, with this before the
// last line of main.lua.
func (r *running) another(lines string) string {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), "next")
	if err := os.CopyFS(dir, os.DirFS(r.dir)); err != nil {
		r.t.Fatal(err)
	}
	main := filepath.Join(dir, "main.lua")
	write(r.t, main, strings.Replace(read(r.t, main), "\nreturn M\n", "\n"+lines+"\nreturn M\n", 1))
	return dir
}

func TestADeploymentIsLiveAndOutlivesTheProcess(t *testing.T) {
	r := serve(t, deployment(t, "192.0.2.1", ""))
	yaml, before := read(t, filepath.Join(r.dir, "legwork.yaml")), read(t, filepath.Join(r.dir, "main.lua"))
	next := r.another("-- the next one")
	write(t, filepath.Join(next, "legwork.yaml"), "no configuration")
	write(t, filepath.Join(next, "more.lua"), "return {}")
	r.ask("deploy", next).expect(t, 0, `main\.lua@\w{8} +live`)
	for name, want := range map[string]string{"main.lua": read(t, filepath.Join(next, "main.lua")), "more.lua": "return {}", "legwork.yaml": yaml} {
		if got := read(t, filepath.Join(r.dir, name)); got != want {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	backups, err := filepath.Glob(filepath.Join(r.dir, backupName+"*", "main.lua"))
	if err != nil || len(backups) != 1 || read(t, backups[0]) != before {
		t.Errorf("%q %v", backups, err)
	}
	var s script.Status
	if err := json.Unmarshal([]byte(r.ask("reload", "--json").out), &s); err != nil || len(s.Generations) != 1 {
		t.Errorf("what is live is not what the folder holds: %+v %v", s, err)
	}
}

func TestADeploymentWhoseTestsFailChangesNothing(t *testing.T) {
	r := serve(t, deployment(t, "192.0.2.1", ""))
	before := read(t, filepath.Join(r.dir, "main.lua"))
	next := r.another("M.responses = nil")
	r.ask("deploy", next, "--canary", "5%").expect(t, 1, `legwork: tests: main_test\.lua:\d+: test "`)
	broken := r.another("function M.on_invit() end")
	r.ask("deploy", broken).expect(t, 1, `legwork: main\.lua:\d+: unknown hook on_invit; did you mean "on_invite"`)
	r.ask("deploy", t.TempDir()).expect(t, 2, `no \*\.lua there`)
	r.ask("deploy", next, "--canary", "half").expect(t, 2, `"half" is no share of calls`)
	r.ask("deploy", next, "--canary", "5%", "--min", "0").expect(t, 2, `--min: 0 calls tell nothing; at least 1`)
	r.ask("deploy", next, "--canary", "5%", "--promote-after=-1s").expect(t, 2, `--promote-after: -1s is no time to wait`)
	r.ask("deploy", next, "--promote").expect(t, 2, `one thing`)
	r.ask("deploy", "--promote").expect(t, 1, `nothing is being tried`)
	if got := read(t, filepath.Join(r.dir, "main.lua")); got != before {
		t.Error("the folder has changed")
	}
	r.ask("deploy", "--status").expect(t, 0, `^GENERATION.*\n\S+ +live .*\n$`)
}

func TestACanaryTakesItsCallsAndIsPromoted(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	events := r.follow("--types", "script,trunk")
	next := r.another("-- the next one")
	r.ask("deploy", next, "--canary", "99.999%", "--promote-after", "0").expect(t, 0, ` live `, ` canary `, `canary main\.lua@\w{8}: 100% of the calls, by caller`, `not enough calls yet`)
	events.until("script.deployed")
	r.talk(alice, bob).hangUp()
	r.ask("deploy", "--status").expect(t, 0, ` canary +\d+s +1 +0 +0`, `canary +1 +0 of 1, 0\.0% +0 of 1, 0\.0% +1 of 1, 100\.0%`)
	r.ask("deploy", "--promote").expect(t, 0, ` live +\d+s +1 `, `promoted at .*: asked for by admin`)
	events.until("script.promoted", "asked for by admin")
	if got := read(t, filepath.Join(r.dir, "main.lua")); got != read(t, filepath.Join(next, "main.lua")) {
		t.Error("the folder holds the old ones")
	}
	if got := r.page("/metrics"); !strings.Contains(got, `legwork_script_deployments_total{result="promoted"} 1`) {
		t.Error("it is not counted")
	}
	r.ask("deploy", r.another("-- one more"), "--canary", "5%").expect(t, 0, ` canary `)
	r.ask("deploy", "--rollback").expect(t, 0, `rolled back at .*: asked for by admin`)
}

func TestAShadowIsAskedBesideTheLiveScripts(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	events := r.follow("--types", "script,trunk")
	before := read(t, filepath.Join(r.dir, "main.lua"))
	next := r.another(`function M.on_answer(_, _, res) res.h["X-Shadow"] = "seen" end`)
	r.ask("deploy", next, "--shadow", "--canary", "5%").expect(t, 2, `without --canary`)
	r.ask("deploy", next, "--shadow", "--promote-after", "1m").expect(t, 2, `--promote-after are of --canary`)
	r.ask("deploy", next, "--for", "2h").expect(t, 2, `--for is of --shadow`)
	r.ask("deploy", next, "--shadow").expect(t, 0, ` live `, ` shadow `, `shadow main\.lua@\w{8}, since \S+, until `)
	events.until("script.deployed", "is asked beside the live version")
	r.ask("deploy", next, "--canary", "5%").expect(t, 1, `is being tried: promote it or roll it back before`)
	r.talk(alice, bob).hangUp()
	for r.compared() < 3 { // on_invite, on_branch, on_answer
	}
	r.ask("deploy", "--status").expect(t, 0, ` shadow +\d+s +1 +0 +0`, `calls: 1 compared, 0 skipped; hooks: 2 the same, 1 different`,
		`1 × on_answer: writes other X-Shadow\n  \S+ sip:4711@\S+\n    \+ X-Shadow: seen \(main\.lua:\d+\)`)
	r.ask("deploy", "--rollback").expect(t, 0, `ended at .*: asked for by admin\ncalls: 1 compared`)
	events.until("script.compared", "asked for by admin; calls: 1 compared")
	if got := r.page("/metrics"); strings.Contains(got, `legwork_script_deployments_total{result="rolled_back"} 1`) {
		t.Error("the end of a shadow counts as a failure")
	}
	r.ask("deploy", next, "--shadow", "--for", "0").expect(t, 0, `shadow main\.lua@\w{8}, since \S+\ncalls: 0`)
	if got := read(t, filepath.Join(r.dir, "main.lua")); got != before {
		t.Error("the folder has changed")
	}
	r.ask("deploy", "--promote").expect(t, 0, ` live +\d+s +0 `, `, promoted at \S+: asked for by admin`)
	if got := read(t, filepath.Join(r.dir, "main.lua")); got != read(t, filepath.Join(next, "main.lua")) {
		t.Error("the folder holds the old ones")
	}
	r.ask("deploy", r.another("-- one more")).expect(t, 0, `^GENERATION.*\n\S+ +live .*\n$`)
}

// compared is how many hooks of a shadow were compared.
func (r *running) compared() int {
	r.t.Helper()
	var s script.Status
	if err := json.Unmarshal([]byte(r.page("/api/v1/script")), &s); err != nil || s.Trial == nil || s.Trial.Shadow == nil || r.t.Context().Err() != nil {
		r.t.Fatalf("%+v, %v", s, err)
	}
	return s.Trial.Shadow.Same + s.Trial.Shadow.Differ
}
