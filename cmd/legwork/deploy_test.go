package main

import (
	"encoding/json"
	"path/filepath"
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
