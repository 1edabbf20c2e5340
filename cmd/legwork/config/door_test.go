package config

import (
	"strings"
	"testing"
)

func TestATrunkThatTheACLKeepsOutIsWarnedOf(t *testing.T) {
	for acl, want := range map[string]string{
		"{allow: [192.0.2.0/24]}":                                 "",
		"{allow: [192.0.2.0/24], deny: [192.0.2.66]}":             "",
		"{deny: [198.51.100.0/24]}":                               "",
		"{allow: [198.51.100.0/24]}":                              `legwork.yaml:3:30: match: the acl keeps out 192.0.2.0/28 of trunk "pbx"; add it to acl.allow`,
		"{allow: [192.0.0.0/16], deny: [192.0.2.0/24]}":           `legwork.yaml:3:30: match: the acl keeps out 192.0.2.0/28 of trunk "pbx"; add it to acl.allow`,
		"{deny: [192.0.2.0/24], allow: [192.0.2.0/28, \"::/0\"]}": "",
	} {
		cfg, err := load(t.TempDir(), "acl: "+acl+"\ntrunks:\n  pbx: {match: [pbx.example, 192.0.2.0/28]}\n")
		if err != nil {
			t.Fatal(err)
		}
		for i := range cfg.Warnings {
			cfg.Warnings[i].File = "legwork.yaml"
		}
		if got := strings.TrimSpace(cfg.Warnings.Error()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", acl, got, want)
		}
	}
}

func TestAListOfAListenerNeedsNoRestart(t *testing.T) {
	before, after := Default(), Default()
	after.Listen[0].ACL.Deny = []string{"192.0.2.1"}
	after.ACL.Deny, after.Ban.After = []string{"192.0.2.1"}, 3
	if keys := RestartNeeded(before, after); len(keys) != 0 {
		t.Error(keys)
	}
	after.Listen[0].Address = "127.0.0.1:5070"
	if keys := RestartNeeded(before, after); len(keys) != 1 || keys[0] != "listen" {
		t.Error(keys)
	}
}
