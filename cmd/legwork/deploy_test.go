package main

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"legwork/script"
)

func TestTheGenerationsAreListed(t *testing.T) {
	alice, bob := agent(t), agent(t)
	r := serve(t, deployment(t, bob.Addr.String(), ""))
	r.ask("deploy").expect(t, 2, `say what is to be done: --status`)
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
	r.ask("reload").expect(t, 1, `main\.lua:1`)
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
