package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/simnet"
)

const secured = `listen: [{name: edge, transport: tls, address: "127.0.0.1:0", cert: tls/cert.pem, key: tls/key.pem, client_ca: tls/ca.pem, server_ca: tls/ca.pem}]`

// issue writes a certificate that is good until then, and its key and authority.
func issue(t *testing.T, dir string, until time.Time) {
	t.Helper()
	ca, err := simnet.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(simnet.Leaf{Names: []string{"sbc.example"}, NotAfter: until})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "tls"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": key, "ca.pem": ca.PEM()} {
		if err := os.WriteFile(filepath.Join(dir, "tls", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificatesAreReadAndTheirKeysNotShown(t *testing.T) {
	dir, until := t.TempDir(), time.Now().AddDate(0, 2, 0).Truncate(time.Second)
	issue(t, dir, until)
	cfg, err := load(dir, secured)
	if err != nil {
		t.Fatal(err)
	}
	id := cfg.Identities["edge"]
	if id.ClientCAs == nil || id.ServerCAs == nil || !id.Expires().Equal(until) || len(cfg.Warnings) != 0 {
		t.Errorf("until %s, warnings %v", id.Expires(), cfg.Warnings)
	}
	if len(cfg.Files) != 3 || cfg.Files[1] != filepath.Join(dir, "tls", "cert.pem") {
		t.Errorf("files %q", cfg.Files)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, cfg.Identities); !strings.Contains(s, "[secret]") {
			t.Errorf("%s shows %s", verb, s)
		}
	}
}

func TestANewCertificateNeedsNoRestart(t *testing.T) {
	dir := t.TempDir()
	issue(t, dir, time.Time{})
	before, err := load(dir, secured)
	if err != nil {
		t.Fatal(err)
	}
	issue(t, dir, time.Time{})
	after, err := load(dir, secured)
	if err != nil {
		t.Fatal(err)
	}
	if keys := RestartNeeded(before, after); len(keys) != 0 {
		t.Errorf("%q need one", keys)
	}
}

func TestACertificateThatEndsIsWarnedOf(t *testing.T) {
	for in, want := range map[time.Duration]string{
		-time.Hour:          "has expired on",
		13 * 24 * time.Hour: "expires on",
		15 * 24 * time.Hour: "",
	} {
		dir := t.TempDir()
		issue(t, dir, time.Now().Add(in))
		cfg, err := load(dir, secured)
		if err != nil {
			t.Fatal(err)
		}
		if (want == "") != (len(cfg.Warnings) == 0) || !strings.Contains(cfg.Warnings.Error(), want) {
			t.Errorf("in %s: %v", in, cfg.Warnings)
		}
	}
}

func TestAKeyOfAnotherCertificateIsRefused(t *testing.T) {
	dir := t.TempDir()
	issue(t, dir, time.Time{})
	if err := os.Rename(filepath.Join(dir, "tls", "key.pem"), filepath.Join(dir, "other.pem")); err != nil {
		t.Fatal(err)
	}
	issue(t, dir, time.Time{})
	_, err := load(dir, strings.Replace(secured, "tls/key.pem", "other.pem", 1))
	if err == nil || !strings.Contains(err.Error(), "private key does not match public key") {
		t.Errorf("%v", err)
	}
}

func TestATargetThatNoListenerServesIsWarnedOf(t *testing.T) {
	for src, want := range map[string]string{
		`trunks: {a: {targets: ["sips:a.example"]}}`:              `legwork.yaml:1:24: target "sips:a.example": there is no listener for tls`,
		`trunks: {a: {targets: ["sip:a.example;transport=tls"]}}`: `legwork.yaml:1:24: target "sip:a.example;transport=tls": there is no listener for tls`,
		`trunks: {a: {targets: ["sip:a.example;transport=tcp"]}}`: "",
	} {
		cfg, err := load(t.TempDir(), src)
		if err != nil {
			t.Fatal(err)
		}
		for i := range cfg.Warnings {
			cfg.Warnings[i].File = "legwork.yaml"
		}
		if got := cfg.Warnings.Error(); (want == "") != (got == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", src, got)
		}
	}
}
