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

func TestASecretInPlainIsWarnedOf(t *testing.T) {
	const said = ": a secret stands here in plain; write !file path, or ${NAME} of the environment"
	for _, c := range []struct{ src, want string }{
		{`admin: {token: sesame}`, "legwork.yaml:1:16: admin.token" + said},
		{`trunks: {a: {match: [192.0.2.1], auth: {user: x, password: sesame}}}`, "legwork.yaml:1:60: trunks.a.auth.password" + said},
		{`redis: {a: {url: "redis://:sesame@127.0.0.1:6379/0"}}`, "legwork.yaml:1:18: redis.a.url" + said},
		{`redis: {a: {url: "redis://127.0.0.1:6379/0"}}`, ""},
		{`sql: {a: {driver: sqlite, dsn: routes.db}}`, ""},
		{`admin: {token: "${NONE:-sesame}"}`, ""},
		{`admin: {token: ""}`, ""},
	} {
		cfg, err := load(folder(t), c.src)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		for i := range cfg.Warnings {
			cfg.Warnings[i].File = "legwork.yaml"
		}
		if got := cfg.Warnings.Error(); got != c.want {
			t.Errorf("%s: warned of %q, want %q", c.src, got, c.want)
		}
	}
}
