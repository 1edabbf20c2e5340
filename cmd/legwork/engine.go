package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/admin"
	"legwork/b2bua/digest"
	"legwork/b2bua/registrar"
	"legwork/b2bua/resolve"
	"legwork/b2bua/store"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
	"legwork/cmd/legwork/config"
	"legwork/script"
	"legwork/script/lib"
)

// setup is what an engine is started from.
type setup struct {
	Path      string            // the configuration's file; "": Config is from none
	Config    *config.Config    // required; what a restart would change is read from here alone
	Network   transport.Network // nil: the machine's
	Log       *slog.Logger      // required
	Level     *slog.LevelVar    // of Log; nil: fixed
	LostLines func() uint64     // of Log; nil: none is ever lost
	Observers []b2bua.Observer  // besides those of the configuration
	Watch     bool              // reload when files change
	// Tests runs the scripts' tests before a reload, not before the start: what
	// served yesterday must come up again. Nil: none are run.
	Tests func(ctx context.Context, s *script.Snapshot) error
}

// engine is a configuration at work: trunks, policy, server, observers and the
// admin API. start makes it and shutdown ends it; reload is in renew.go.
type engine struct {
	setup
	seen       map[string]glance // of the configuration's files, before anybody hears that we are ready
	names      *resolve.Client   // nil: setup.Network has others
	hosts      *hosts
	stores     *stores
	databases  *databases
	libraries  *lib.Env
	policy     *script.Policy
	observers  *observers
	server     *b2bua.Server
	listeners  []*transport.Listener
	admin      *admin.Server
	leaving    chan struct{}    // closed by leave
	leave      func()           // asks whoever runs the engine to shut it down
	clock      func() time.Time // of bindings: goes on when the machine's is set
	stop       context.CancelFunc
	background context.Context // of the tasks; ended by stop
	tasks      sync.WaitGroup  // refreshHosts, watch and giveBack

	identities atomic.Pointer[identities] // that the listeners show

	mu     sync.Mutex                    // lets one reload in at a time
	live   atomic.Pointer[config.Config] // setup.Config until a reload
	trunks atomic.Pointer[trunk.Table]   // live, or about to be while scripts are loaded with it
	blamed atomic.Pointer[[]string]      // files that kept the last reload from being one; nil: none
}

// start makes an engine that serves. An error leaves nothing behind.
func start(ctx context.Context, s setup) (*engine, error) {
	began := time.Now()
	e := &engine{leaving: make(chan struct{}), clock: func() time.Time { return began.Add(time.Since(began)) }}
	if s.Network == nil {
		e.names = resolve.New(resolve.Config{})
		s.Network = transport.System{DNS: e.names}
	}
	e.setup = s
	e.leave = sync.OnceFunc(func() { close(e.leaving) })
	e.live.Store(s.Config)
	e.identities.Store((*identities)(&s.Config.Identities))
	e.seen = look(e.files())
	e.warn(s.Config)
	e.hosts = newHosts(s.Network, s.Log)
	e.background, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, step := range []func(context.Context) error{e.openStores, e.readTrunks, e.openObservers, e.openServer, e.loadScripts, e.listen, e.serveAdmin} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, e.shutdown(ctx))
		}
	}
	e.server.Attend()
	e.tasks.Go(func() { e.refreshHosts(e.background) })
	e.tasks.Go(func() { e.remindOfCertificates(e.background) })
	if e.Watch {
		e.tasks.Go(func() { e.watch(e.background) })
	}
	return e, nil
}

func (e *engine) readTrunks(ctx context.Context) error {
	addrs := e.hosts.lookUp(ctx, matched(e.Config))
	table, err := neighbours(e.Config, addrs)
	if err == nil {
		e.hosts.compare(table)
	}
	e.trunks.Store(table)
	return mend(err)
}

func (e *engine) openServer(context.Context) (err error) {
	c := e.Config
	changing, err := e.settings(c)
	if err != nil {
		return err
	}
	policy, dice := b2bua.Policy(e), (func(string) func() float64)(nil)
	if log := e.observers.journal; log != nil {
		policy, dice = log.Policy(e), log.Dice
	}
	e.server, err = b2bua.New(b2bua.Config{
		Policy: policy, Dice: dice, Observers: e.observers.list, Network: e.Network, Log: e.Log, UserAgent: c.SIP.UserAgent,
		T1: c.SIP.T1, T2: c.SIP.T2, MaxMessage: c.SIP.MaxMessage, UDPMax: c.SIP.UDPMax, MaxDuration: c.SIP.MaxDuration,
		Store: e.stores.bindings, Settings: changing,
	})
	return err
}

// settings are those of c with the trunks in e.trunks, and with the bindings
// that there are.
func (e *engine) settings(c *config.Config) (s b2bua.Settings, err error) {
	s = settings(c, e.trunks.Load())
	if s.Registrar, err = registrarOf(c.Registrar, e.stores.bindings, e.clock); err != nil {
		return s, err
	}
	if s.Leaks, err = leaksOf(c.Leaks); err != nil {
		return s, err
	}
	s.Door, err = doorOf(c)
	return s, err
}

// settings is what the server may be told again while it runs, but for the
// registrar and leaks.
func settings(c *config.Config, trunks *trunk.Table) b2bua.Settings {
	unknown := map[config.Unknown]b2bua.Unknown{
		config.UnknownReject: b2bua.RejectUnknown, config.UnknownDrop: b2bua.DropUnknown, config.UnknownAllow: b2bua.AllowUnknown,
	}
	return b2bua.Settings{
		Trunks: trunks, UnknownSources: unknown[c.UnknownSources], DefaultRoute: c.DefaultRoute,
		Limits: b2bua.Limits{
			Calls: c.Limits.Calls, CPS: float64(c.Limits.CPS), PerSourceCPS: float64(c.Limits.PerSourceCPS),
			QueueDelay: c.Limits.Overload.QueueDelay,
		},
		Realm: c.Users.Realm, Users: usersOf(c.Users), Algorithms: algorithmsOf(c.Users),
		Timer: trunk.Timer{Expires: time.Duration(c.SIP.Timer.Expires), Min: time.Duration(c.SIP.Timer.Min)},
	}
}

// usersOf finds the users of the configuration; nil when it names no file of
// them.
func usersOf(u config.Users) b2bua.Users {
	if u.File == "" {
		return nil
	}
	return func(user string) (digest.Secret, bool) {
		a, ok := u.Accounts[user]
		return digest.Secret{Password: string(a.Password), HA1: string(a.HA1)}, ok
	}
}

// algorithmsOf are those that challenges offer: of what is offered a phone takes
// the one it likes best, and there is no asking it for another. Unless the
// configuration or the kind of the secrets says otherwise that is MD5 alone:
// many phones refuse a challenge that names anything else beside it.
func algorithmsOf(u config.Users) []digest.Algorithm {
	if md5, sha256 := u.Hashes(); len(u.Algorithms) == 0 && sha256 && !md5 {
		return []digest.Algorithm{digest.SHA256}
	}
	if len(u.Algorithms) == 0 {
		return []digest.Algorithm{digest.MD5}
	}
	var list []digest.Algorithm
	for _, name := range u.Algorithms {
		if a, ok := digest.ParseAlgorithm(string(name)); ok {
			list = append(list, a)
		}
	}
	return list
}

// registrarOf is nil when none is enabled.
func registrarOf(c config.Registrar, bindings store.Store, clock func() time.Time) (*registrar.Registrar, error) {
	if !c.Enabled {
		return nil, nil
	}
	return registrar.New(registrar.Config{
		Store: bindings, Clock: clock, Min: time.Duration(c.Expires.Min), Default: time.Duration(c.Expires.Default), Max: time.Duration(c.Expires.Max),
	})
}

// warn tells of what the configuration hardly means.
func (e *engine) warn(c *config.Config) {
	for _, w := range c.Warnings {
		e.Log.Warn("doubtful configuration", "err", w.String())
	}
}

func (e *engine) listen(context.Context) error {
	for i, l := range e.Config.Listen {
		opened, err := e.server.Listen(transport.ListenerConfig{
			Name: l.Name, Network: l.Transport, Address: l.Address, Advertise: l.Advertise, Identity: e.identities.Load().of(l.Name), DSCP: l.DSCP, Origins: l.Origins,
		})
		if err != nil {
			return e.cannotListen(i, l, err)
		}
		e.listeners = append(e.listeners, opened...)
	}
	return nil
}

// addresses lists the sockets, "udp 127.0.0.1:5060".
func (e *engine) addresses() []string {
	var list []string
	for _, l := range e.listeners {
		list = append(list, l.Network+" "+l.Local.String())
	}
	return list
}

// shutdown is the orderly goodbye (design/house.md, "Shutdown"): no new calls,
// those there are may end until drain.timeout or the end of ctx, the rest is
// hung up; then sockets close and observers write what they hold. It also
// tidies up an engine whose start failed half way.
func (e *engine) shutdown(ctx context.Context) error {
	e.leave()
	e.stop()
	e.tasks.Wait()
	if e.policy != nil {
		_ = e.policy.Rollback("shutdown") // there may be nothing to roll back
	}
	if e.server != nil {
		e.observers.feed.Tell(admin.Event{Type: admin.DrainBegan, Text: "no new calls are taken"})
		drained, cancel := context.WithTimeout(ctx, e.live.Load().Drain.Timeout)
		e.server.Drain(drained)
		cancel()
		e.server.Close()
	}
	var failed []error
	failed = append(failed, e.closeAdmin())
	if e.policy != nil {
		e.policy.Close()
	}
	if e.libraries != nil {
		e.libraries.Close()
	}
	if e.databases != nil {
		e.databases.Close()
	}
	if e.stores != nil {
		failed = append(failed, e.stores.close())
	}
	if e.observers != nil {
		failed = append(failed, e.observers.close())
	}
	if e.names != nil {
		e.names.Close()
	}
	return errors.Join(failed...)
}
