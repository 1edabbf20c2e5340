package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

func TestAFileIsReadWhenItHasSettled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var changes atomic.Int32
		go watch(ctx, path, look(path), func() { changes.Add(1) })
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
