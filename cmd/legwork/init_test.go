package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatInitWritesIsGoodAndIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	got := run(t, dir, "init")
	if got.code != 0 || !strings.Contains(got.out, "written  legwork.yaml\n") {
		t.Fatalf("exit %d: %s%s", got.code, got.out, got.err)
	}
	for _, name := range []string{"scripts/main.lua", "scripts/main_test.lua", "scripts/.luarc.json", "scripts/.legwork/b2b.lua"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if got := run(t, dir, "check", "--strict"); got.code != 0 || got.out != "good: 0 warnings\n" {
		t.Errorf("check: exit %d: %s%s", got.code, got.out, got.err)
	}
	write(t, filepath.Join(dir, "legwork.yaml"), "# mine\n")
	got = run(t, dir, "init")
	if got.code != 0 || !strings.Contains(got.out, "exists   legwork.yaml\n") {
		t.Errorf("exit %d: %s%s", got.code, got.out, got.err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "legwork.yaml")); err != nil || string(b) != "# mine\n" {
		t.Errorf("legwork.yaml is %q, %v", b, err)
	}
}

func TestStubsAreWrittenBesideTheScripts(t *testing.T) {
	dir := t.TempDir()
	got := run(t, dir, "stubs", "lua")
	if got.code != 0 {
		t.Fatalf("exit %d: %s", got.code, got.err)
	}
	for _, f := range stubs("lua/") {
		if b, err := os.ReadFile(filepath.Join(dir, f.name)); err != nil || string(b) != string(f.content) {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

func TestCheckListsProfilesAndWarnings(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "legwork.yaml"), "script: main.lua\ntrunks: {pbx: {match: [\"192.0.2.1\"], profile: pbx.lua}}\n")
	write(t, filepath.Join(dir, "pbx.lua"), "return {\n  outbound = {\n    [\"180 INVITE\"] = function(msg, ctx) msg.status = 183 end,\n  },\n}\n")
	write(t, filepath.Join(dir, "main.lua"), "return { outbound = { INVITE = function(msg, ctx) end } }\n")
	got := run(t, dir, "check")
	for _, want := range []string{"main.lua: warning: ", "pbx       outbound  180 INVITE  pbx.lua:3\n", "good: 1 warning\n"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	if got.code != 0 {
		t.Errorf("exit %d", got.code)
	}
	if got := run(t, dir, "check", "--strict"); got.code != 1 {
		t.Errorf("--strict: exit %d", got.code)
	}
	var v verdict
	if err := json.Unmarshal([]byte(run(t, dir, "check", "--json").out), &v); err != nil || len(v.Findings) != 1 || len(v.Profiles) != 2 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestCheckWarnsOfAConfigurationThatIsHardlyMeant(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "legwork.yaml"), "registrar:\n  enabled: true\n")
	got := run(t, dir, "check", "--strict")
	if want := "legwork.yaml:2:12: warning: registrar: there are no users: "; got.code != 1 || !strings.HasPrefix(got.out, want) {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
}

func TestCheckSaysWhereAnUndeclaredParamStands(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "legwork.yaml"), "script: main.lua\ntrunks:\n  pbx:\n    match: [192.0.2.1]\n    params: {country: DE}\n")
	write(t, filepath.Join(dir, "main.lua"), "return {}\n")
	got := run(t, dir, "check")
	if want := "legwork.yaml:5:23: warning: trunk pbx: params.country is not declared in M.params"; !strings.HasPrefix(got.out, want) {
		t.Error(got.out)
	}
}

func TestVersionAndSchemaAreForMachinesToo(t *testing.T) {
	var b build
	if err := json.Unmarshal([]byte(run(t, ".", "version", "--json").out), &b); err != nil || !strings.HasPrefix(b.Go, "go1.") {
		t.Errorf("%+v, %v", b, err)
	}
	var schema map[string]any
	if err := json.Unmarshal([]byte(run(t, ".", "schema").out), &schema); err != nil || schema["properties"] == nil {
		t.Error(err)
	}
}

func TestTheCommandLineSaysWhatItKnows(t *testing.T) {
	if got := run(t, "."); got.code != 0 || !strings.Contains(got.out, "demo") {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	if got := run(t, ".", "rnu"); got.code != 2 || !strings.Contains(got.err, `did you mean "run"?`) {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
}
