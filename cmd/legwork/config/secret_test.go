package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestASecretIsNotShown(t *testing.T) {
	cfg := Default()
	cfg.Admin.Token = "s3cret"
	cfg.Trunks = map[string]*Trunk{"a": {Auth: &Auth{User: "acct", Password: "s3cret"}}}
	cfg.Users.Accounts = map[string]Account{"bob": {Password: "s3cret"}, "alice": {HA1: "s3cret"}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&out, verb, cfg.Admin)
		fmt.Fprintf(&out, verb, cfg.Admin.Token)
		fmt.Fprintf(&out, verb, cfg.Trunks["a"].Auth)
		fmt.Fprintf(&out, verb, cfg.Users)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "token", cfg.Admin.Token, "admin", cfg.Admin)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "token", cfg.Admin.Token, "admin", cfg.Admin)
	encoded, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	for _, leak := range []string{"s3cret", fmt.Sprintf("%x", "s3cret"), fmt.Sprintf("%X", "s3cret")} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("found %s in %s", leak, out.String())
		}
	}
}
