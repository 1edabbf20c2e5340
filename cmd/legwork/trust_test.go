package main

import (
	"testing"

	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
)

func TestATrunkThatDoesNotSpeakOfTrustIsNotTrustedOnceAnotherDoes(t *testing.T) {
	quiet := &config.Trunk{Match: []string{"192.0.2.1"}}
	cfg := &config.Config{Trunks: map[string]*config.Trunk{"quiet": quiet}}
	for _, step := range []struct {
		other *config.Privacy
		want  trunk.Trust
		quiet trunk.Trust
	}{
		{nil, trunk.TrustUnsaid, trunk.TrustUnsaid},
		{&config.Privacy{Trust: true}, trunk.Trusted, trunk.Untrusted},
		{&config.Privacy{}, trunk.Untrusted, trunk.Untrusted},
	} {
		cfg.Trunks["other"] = &config.Trunk{Match: []string{"192.0.2.2"}, Privacy: step.other}
		table, err := neighbours(cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		if table.Trust("other") != step.want || table.Trust("quiet") != step.quiet || table.Trust("") != step.quiet {
			t.Errorf("%v: other %d, quiet %d, strangers %d", step.other, table.Trust("other"), table.Trust("quiet"), table.Trust(""))
		}
	}
}
