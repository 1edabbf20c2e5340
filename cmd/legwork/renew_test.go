package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/registrar"
	"legwork/b2bua/simnet"
	"legwork/cmd/legwork/config"
)

// TestAReloadIsAllOrNothing changes trunks and script together.
func TestAReloadIsAllOrNothing(t *testing.T) {
	dir := deployment(t, "192.0.2.9", "")
	yaml, main := filepath.Join(dir, "legwork.yaml"), filepath.Join(dir, "main.lua")
	oldYAML, good := read(t, yaml), read(t, main)
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Load(yaml, os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Admin.Address = ""
		level := &slog.LevelVar{}
		e, err := start(context.Background(), setup{
			Path: yaml, Config: cfg, Network: simnet.New(simnet.Faults{}), Log: slog.New(slog.DiscardHandler), Level: level,
		})
		if err != nil {
			t.Fatal(err)
		}
		before, name := e.trunks.Load(), e.policy.Status().Name
		write(t, yaml, oldYAML+newTrunk+"drain: {timeout: 7s}\nlog: {level: debug}\n")
		write(t, main, good+"nonsense\n")
		if err := e.reload(t.Context()); err == nil || e.trunks.Load() != before || e.live.Load() != cfg || level.Level() != slog.LevelInfo {
			t.Errorf("a broken script: %v, %v", err, e.trunks.Load().Names())
		}
		write(t, main, strings.Replace(good, `default = "pbx"`, `default = "another"`, 1))
		if err := e.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e.trunks.Load().Get("another") == nil || e.live.Load().Drain.Timeout != 7*time.Second || level.Level() != slog.LevelDebug {
			t.Errorf("%v %+v", e.trunks.Load().Names(), e.live.Load())
		}
		if e.policy.Status().Name == name {
			t.Error("the old script runs")
		}
		if err := e.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBrokenUsersLeaveTheOldOnesUntilTheyAreMended(t *testing.T) {
	dir := deployment(t, "192.0.2.9", "users: {file: users.yaml}\n")
	yaml, users := filepath.Join(dir, "legwork.yaml"), filepath.Join(dir, "users.yaml")
	write(t, users, "bob: one\n")
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Load(yaml, os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Admin.Address = ""
		e, err := start(context.Background(), setup{
			Path: yaml, Config: cfg, Network: simnet.New(simnet.Faults{}), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		password := func() string { return string(e.live.Load().Users.Accounts["bob"].Password) }
		if got := e.files(); !slices.Equal(got, []string{yaml, users}) {
			t.Errorf("at start these are watched: %v", got)
		}
		more := filepath.Join(dir, "more.yaml")
		write(t, more, "bob: two\n\tcarol: three\n")
		write(t, yaml, strings.Replace(read(t, yaml), "users.yaml", "more.yaml", 1))
		if err := e.reload(t.Context()); err == nil || !strings.Contains(err.Error(), more+":2:1: ") || password() != "one" {
			t.Errorf("got %v, and the password is %s", err, password())
		}
		if got := e.files(); !slices.Equal(got, []string{yaml, users, more}) {
			t.Errorf("what is mended goes unnoticed: %v", got)
		}
		write(t, more, "bob: two\n")
		if err := e.reload(t.Context()); err != nil || password() != "two" {
			t.Errorf("got %v, and the password is %s", err, password())
		}
		if got := e.files(); !slices.Equal(got, []string{yaml, more}) {
			t.Errorf("what is not read any more is watched: %v", got)
		}
		if err := e.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBindingsOutliveAReload(t *testing.T) {
	cfg := config.Default()
	cfg.Registrar.Enabled = true
	virtual(t, cfg, func(e *engine, _ *simnet.Network, _ *buffer) {
		before, err := e.settings(cfg)
		if err != nil {
			t.Fatal(err)
		}
		register := &message.Message{Method: "REGISTER", URI: "sip:home.example"}
		register.Add("To", "<sip:bob@home.example>")
		register.Add("Call-ID", "1")
		register.Add("CSeq", "1 REGISTER")
		register.Add("Contact", "<sip:bob@192.0.2.7>")
		got := before.Registrar.Register(register, registrar.Origin{}, 0)
		if got.Code != 200 || !strings.HasSuffix(got.Headers[0].Value, ";expires=300") {
			t.Errorf("%+v", got)
		}
		changed := *cfg
		changed.Registrar.Expires.Default = config.Seconds(2 * time.Minute)
		after, err := e.settings(&changed)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := after.Registrar.Lookup("sip:bob@home.example"); err != nil || len(found) != 1 {
			t.Errorf("%+v, %v", found, err)
		}
		changed.Registrar.Enabled = false
		if off, err := e.settings(&changed); err != nil || off.Registrar != nil {
			t.Errorf("%+v, %v", off, err)
		}
	})
}

func TestAFileThatIsReadSinceAReloadIsWatchedToo(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	write(t, one, "")
	write(t, two, "")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var changes, both atomic.Int32
		files := func() []string { return []string{one, two}[:1+both.Load()] }
		go watch(ctx, files, look(files()), func() { changes.Add(1) })
		time.Sleep(watchEvery / 2)
		write(t, two, "x")
		time.Sleep(4 * watchEvery)
		both.Store(1)
		time.Sleep(4 * watchEvery)
		if changes.Load() != 0 {
			t.Error("a file that was just read is read again")
		}
		write(t, two, "xx")
		time.Sleep(4 * watchEvery)
		if changes.Load() != 1 {
			t.Errorf("%d changes", changes.Load())
		}
		cancel()
	})
}

func TestAFileIsReadWhenItHasSettled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var changes atomic.Int32
		files := func() []string { return []string{path} }
		go watch(ctx, files, look(files()), func() { changes.Add(1) })
		time.Sleep(watchEvery / 2)
		for i := range 4 {
			write(t, path, strings.Repeat("x", i+1))
			time.Sleep(watchEvery)
			if changes.Load() != 0 {
				t.Fatal("read while it was being written")
			}
		}
		time.Sleep(2 * watchEvery)
		if changes.Load() != 1 {
			t.Errorf("%d changes", changes.Load())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * watchEvery)
		if changes.Load() != 1 {
			t.Error("a file that is gone was read")
		}
		write(t, path, "back")
		time.Sleep(4 * watchEvery)
		if changes.Load() != 2 {
			t.Error("a file that came back was not read")
		}
		cancel()
	})
}
