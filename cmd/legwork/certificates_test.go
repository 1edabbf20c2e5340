package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
	"legwork/cmd/legwork/config"
)

// secured is a deployment with a TLS listener whose certificate ca has issued
// for its address.
func secured(t *testing.T) (dir string, ca *simnet.Authority) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "legwork.yaml"), `listen:
  - {name: edge, transport: tls, address: "192.0.2.10:5061", cert: cert.pem, key: key.pem}
admin: {address: ""}
`)
	return dir, renewed(t, dir, time.Time{})
}

// renewed writes a new certificate of a new authority.
func renewed(t *testing.T, dir string, until time.Time) *simnet.Authority {
	t.Helper()
	ca, err := simnet.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(simnet.Leaf{Names: []string{"192.0.2.10"}, NotAfter: until})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), string(cert))
	write(t, filepath.Join(dir, "key.pem"), string(key))
	return ca
}

// answer is what a phone that trusts ca gets to an OPTIONS.
func answer(t *testing.T, n transport.Network, ca *simnet.Authority) string {
	t.Helper()
	own, err := ca.Certificate("phone.example")
	if err != nil {
		t.Fatal(err)
	}
	phone, err := simnet.NewAgentAt(n, transport.ListenerConfig{
		Network: "tls", Address: "192.0.2.1:0", Identity: &transport.Identity{Certificate: own, ServerCAs: ca.Pool()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	req := phone.Invite("sip:192.0.2.10:5061;transport=tls", "")
	req.Method = "OPTIONS"
	req.Set("CSeq", "1 OPTIONS")
	if _, err := phone.Send(req, "192.0.2.10:5061"); err != nil {
		t.Fatal(err)
	}
	in, err := phone.Next(time.Minute, "403 OPTIONS", "408")
	if err != nil {
		t.Fatal(err)
	}
	return in.Message.Reason
}

func TestACertificateIsRenewedByReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, first := secured(t)
		path := filepath.Join(dir, "legwork.yaml")
		cfg, err := config.Load(path, os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		network := simnet.New(simnet.Faults{})
		log := &buffer{}
		e, err := start(context.Background(), setup{Path: path, Config: cfg, Network: network, Log: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if got := answer(t, network, first); got != "Forbidden" {
			t.Errorf("at first: %s", got)
		}
		second := renewed(t, dir, time.Now().Add(14*24*time.Hour+12*time.Hour))
		if err := e.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := answer(t, network, first); !strings.HasPrefix(got, "TLS with 192.0.2.10 ") {
			t.Errorf("the old certificate is shown: %s", got)
		}
		if got := answer(t, network, second); got != "Forbidden" {
			t.Errorf("after the reload: %s", got)
		}
		if strings.Contains(log.String(), "level=WARN") {
			t.Errorf("more than 14 days before the end:\n%s", log)
		}
		time.Sleep(ageCheck + time.Hour)
		if !strings.Contains(log.String(), `level=WARN msg="certificate expires soon or has expired" transport=edge dur=324h0m0s`) {
			t.Errorf("less than 14 days before the end:\n%s", log)
		}
		if err := e.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestARenewedCertificateWaitsForNoScriptAndNoConfiguration(t *testing.T) {
	for name, broken := range map[string]map[string]string{
		"script":        {"main.lua": "nonsense"},
		"configuration": {"legwork.yaml": "nonsense: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, first := secured(t)
			path := filepath.Join(dir, "legwork.yaml")
			write(t, path, read(t, path)+"script: main.lua\n")
			write(t, filepath.Join(dir, "main.lua"), "return {}\n")
			synctest.Test(t, func(t *testing.T) {
				cfg, err := config.Load(path, os.LookupEnv)
				if err != nil {
					t.Fatal(err)
				}
				network := simnet.New(simnet.Faults{})
				e, err := start(context.Background(), setup{Path: path, Config: cfg, Network: network, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				for file, text := range broken {
					write(t, filepath.Join(dir, file), text)
				}
				until := time.Now().Add(40 * 24 * time.Hour).Truncate(time.Second)
				second := renewed(t, dir, until)
				if err := e.reload(t.Context()); err == nil || e.live.Load() != cfg {
					t.Errorf("what is broken was loaded: %v", err)
				}
				if got := answer(t, network, second); got != "Forbidden" {
					t.Errorf("after the renewal: %s", got)
				}
				if got := e.identities.Load().expiries()["edge"]; !got.Equal(until) {
					t.Errorf("the metric says %s", got)
				}
				write(t, filepath.Join(dir, "key.pem"), "half")
				if err := e.reload(t.Context()); err == nil {
					t.Error("half a certificate was loaded")
				}
				if got := answer(t, network, second); got != "Forbidden" {
					t.Errorf("with half a certificate: %s", got)
				}
				if got := answer(t, network, first); !strings.HasPrefix(got, "TLS with 192.0.2.10 ") {
					t.Errorf("the old certificate is shown: %s", got)
				}
				if err := e.shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
