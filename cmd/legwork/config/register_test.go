package config

import (
	"testing"
	"time"
)

func TestPatienceWithAProbeFitsBetweenTwoOfThem(t *testing.T) {
	for _, c := range []struct {
		health  string
		timeout time.Duration
		warning string
	}{
		{"{}", 2 * time.Second, ""},
		{"{options: 30s}", 2 * time.Second, ""},
		{"{options: 2s}", time.Second, ""},
		{"{options: 0s}", 2 * time.Second, ""},
		{"{options: 100ms}", 100 * time.Millisecond, ""},
		{"{options: 5s, timeout: 5s}", 5 * time.Second, ""},
		{"{options: 1s, timeout: 2s}", 2 * time.Second, ":1:73: health: timeout (2s) is longer than options (1s): while a target is silent OPTIONS come each 3s; raise options or lower timeout"},
	} {
		cfg, err := load(t.TempDir(), `trunks: {a: {targets: ["sip:192.0.2.1"], health: `+c.health+`}}`)
		if err != nil {
			t.Errorf("%s: %v", c.health, err)
			continue
		}
		for i := range cfg.Warnings {
			cfg.Warnings[i].File = ""
		}
		if got := cfg.Trunks["a"].Health.Timeout; got != c.timeout || cfg.Warnings.Error() != c.warning {
			t.Errorf("%s: %s, %q", c.health, got, cfg.Warnings.Error())
		}
	}
}
