package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"legwork/b2bua/admin"
	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
)

// reload reads configuration and scripts again and puts both to work, or
// neither: an error changes nothing but certificates. Calls in progress keep what they have.
// What needs a restart is logged and left as it was.
func (e *engine) reload(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.renewCertificates()
	next, table, err := e.readAgain(ctx)
	if err != nil {
		err = fmt.Errorf("configuration is not reloaded: %w", err)
		e.observers.feed.Tell(admin.Event{Type: admin.ConfigFailed, Text: err.Error()})
		return err
	}
	before := e.trunks.Swap(table)
	if err := e.reloadScripts(ctx); err != nil {
		e.trunks.Store(before)
		return fmt.Errorf("scripts are not reloaded: %w", err)
	}
	return e.adopt(next)
}

// readAgain reads the file, and makes its trunks.
func (e *engine) readAgain(ctx context.Context) (*config.Config, *trunk.Table, error) {
	next, err := e.readFile()
	if err != nil {
		return nil, nil, err
	}
	table, err := neighbours(next, e.hosts.lookUp(ctx, matched(next)))
	return next, table, err
}

// readFile reads it; without one the configuration stays as it is.
func (e *engine) readFile() (*config.Config, error) {
	if e.Path == "" {
		return e.live.Load(), nil
	}
	next, err := config.Load(e.Path, os.LookupEnv)
	problems, _ := errors.AsType[config.Problems](err)
	var blamed []string
	for _, p := range problems {
		blamed = append(blamed, p.File)
	}
	e.blamed.Store(&blamed)
	return next, err
}

// files are those whose change is a reason to reload: the configuration's, what
// it has read, and what it would have read without a mistake there.
func (e *engine) files() []string {
	var list []string
	if e.Path != "" {
		list = append(list, e.Path)
	}
	list = append(list, e.live.Load().Files...)
	if blamed := e.blamed.Load(); blamed != nil {
		list = append(list, *blamed...)
	}
	return list
}

// adopt puts a configuration to work whose trunks are already e.trunks.
func (e *engine) adopt(next *config.Config) error {
	if err := e.apply(next); err != nil {
		return err
	}
	if keys := config.RestartNeeded(e.Config, next); len(keys) > 0 {
		e.Log.Warn("configuration changed where only a restart helps", "keys", strings.Join(keys, " "))
	}
	if e.Level != nil {
		e.Level.Set(levelOf(next.Log.Level))
	}
	e.warn(next)
	e.hosts.compare(e.trunks.Load())
	e.live.Store(next)
	e.showCertificates(next.Identities)
	e.observers.feed.Tell(admin.Event{Type: admin.ConfigLoaded, Text: "configuration reloaded"})
	return nil
}

func (e *engine) apply(c *config.Config) error {
	s, err := e.settings(c)
	if err != nil {
		return err
	}
	return e.server.Apply(s)
}

// watch reloads when a file of the configuration or a script is saved; until
// ctx ends.
func (e *engine) watch(ctx context.Context) {
	if e.Path != "" {
		e.tasks.Go(func() { watch(ctx, e.files, e.seen, func() { e.fileChanged(ctx) }) })
	}
	e.policy.Watch(ctx)
}

// fileChanged reloads because a file of the configuration is another.
func (e *engine) fileChanged(ctx context.Context) {
	if err := e.reload(ctx); err != nil {
		e.Log.Error("reload failed", "err", err)
		return
	}
	e.Log.Info("configuration reloaded", "by", "file change")
}

// refreshHosts looks host names of trunks up again and again.
func (e *engine) refreshHosts(ctx context.Context) {
	tick := time.NewTicker(hostsAge)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		e.lookAgain(ctx)
	}
}

// lookAgain puts a new table to work if an address changed.
func (e *engine) lookAgain(ctx context.Context) {
	before := e.hosts.known()
	after := e.hosts.lookUp(ctx, matched(e.live.Load()))
	if maps.EqualFunc(before, after, slices.Equal[[]netip.Addr]) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	cfg := e.live.Load()
	table, err := neighbours(cfg, e.hosts.known())
	if err == nil {
		e.trunks.Store(table)
		e.hosts.compare(table)
		err = e.apply(cfg)
	}
	if err != nil {
		e.Log.Error("addresses of trunks changed and can not be used", "err", err)
	}
}
