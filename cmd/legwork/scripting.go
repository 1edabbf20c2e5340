package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/admin"
	"legwork/b2bua/message"
	"legwork/b2bua/metrics"
	"legwork/b2bua/store"
	"legwork/cmd/legwork/config"
	"legwork/script"
	"legwork/script/lib"
	"legwork/scripts"
)

// mainScript is the file that runs when the configuration names none.
const mainScript = "main.lua"

// sourceOf is where a configuration's scripts are.
func sourceOf(c *config.Config) script.Source {
	if c.Script == "" {
		return script.Source{Path: mainScript, FS: scripts.Files}
	}
	return script.Source{Path: c.Script}
}

// Router asks the scripts. The server is made before them, because they look at
// its trunks; it listens only after.
func (e *engine) Router(h b2bua.Handle) b2bua.Router { return e.policy.Router(h) }

func (e *engine) loadScripts(ctx context.Context) (err error) {
	if e.databases, err = openDatabases(e.Config); err != nil {
		return err
	}
	if e.libraries, err = newLibraries(e.databases, e.Network, e.stores.scripts, e.observers, e.Log); err != nil {
		return err
	}
	e.policy, err = script.New(ctx, script.Config{
		Source: sourceOf(e.Config), Trunks: e.trunks.Load, States: e.server.Trunks(), Lib: e.libraries, Log: e.Log,
		Realm:  func() string { return e.live.Load().Users.Realm },
		Test:   e.testScripts,
		Errors: e.observers.metrics.ScriptError, Reloaded: e.scriptsReloaded,
		Bench: e.bench, Changed: e.scriptsChanged, Keep: e.keeper(),
	})
	return mend(scriptError(e.Config, err))
}

// generations are those that are loaded, for the metrics.
func (e *engine) generations() (list []metrics.Generation) {
	if e.policy == nil { // not loaded yet
		return nil
	}
	for _, g := range e.policy.Status().Generations {
		list = append(list, metrics.Generation{State: string(g.State), Calls: g.Calls})
	}
	return list
}

// scriptsReloaded tells of an attempt to load them.
func (e *engine) scriptsReloaded(r script.Report) {
	e.observers.metrics.Reloaded(r.Err)
	event := admin.Event{Type: admin.ScriptLoaded, Text: r.Name}
	if r.Err != nil {
		event = admin.Event{Type: admin.ScriptFailed, Text: scriptError(e.Config, r.Err).Error()}
	}
	e.observers.feed.Tell(event)
}

// bench is when the live scripts are taken out.
func (e *engine) bench() script.Bench { return script.Bench(e.live.Load().Deploy.Bench) }

// scriptsChanged tells of what became of a generation besides a reload.
func (e *engine) scriptsChanged(c script.Change, text string) {
	switch c {
	case script.ChangeBenched:
		e.observers.metrics.Benched()
	case script.ChangePromoted, script.ChangeRolledBack:
		e.observers.metrics.Deployed(c == script.ChangePromoted)
	case script.ChangeDeployed, script.ChangeCompared: // what becomes of it is what counts
	}
	e.observers.feed.Tell(admin.Event{Type: string(c), Text: text})
}

// testScripts stands between a reload and its going live.
func (e *engine) testScripts(ctx context.Context, s *script.Snapshot) error {
	if e.policy == nil || e.Tests == nil {
		return nil
	}
	return e.Tests(ctx, s)
}

// scriptVariables is how the names of environment variables begin that scripts
// may see: others hold what is none of their business.
const scriptVariables = "LEGWORK_LUA_"

// scriptSurroundings is what scripts may know of the process.
func scriptSurroundings(d *databases) lib.Config {
	return lib.Config{
		Redis: d.redis, SQL: d.sql,
		ReasonPhrase: message.ReasonPhrase,
		AllowEnv:     "call it " + scriptVariables + "...: scripts see such variables only",
		Getenv: func(name string) (value string, set, allowed bool) {
			if !strings.HasPrefix(name, scriptVariables) {
				return "", false, false
			}
			value, set = os.LookupEnv(name)
			return value, set, true
		},
	}
}

// newLibraries is what scripts share for the life of the process; o may be nil.
func newLibraries(d *databases, names lib.DNS, kept store.Store, o *observers, log *slog.Logger) (*lib.Env, error) {
	cfg := scriptSurroundings(d)
	cfg.DNS, cfg.Store, cfg.Log = names, kept, log
	if o != nil {
		cfg.Metrics = o.metrics.Registerer()
	}
	if o != nil && o.journal != nil {
		cfg.Lookups, cfg.Fate = o.journal, o.journal
	}
	return lib.NewEnv(cfg)
}

// scriptError names files so that an editor finds them: from here instead of
// from the scripts' folder.
func scriptError(c *config.Config, err error) error {
	problems, ok := errors.AsType[script.Problems](err)
	if !ok {
		return err
	}
	return problemsFromHere(c, problems)
}

func problemsFromHere(c *config.Config, problems script.Problems) script.Problems {
	dir := filepath.Dir(c.Script)
	named := slices.Clone(problems)
	for i, p := range named {
		if p.File == "" && p.Of.Trunk != "" {
			named[i].File = c.Path
			named[i].Line, named[i].Col, _ = locate(c.Path, yamlPath("trunks", p.Of.Trunk, "params", p.Of.Name))
		}
		if p.File != "" && c.Script != "" && !filepath.IsAbs(p.File) {
			named[i].File = filepath.Join(dir, p.File)
		}
	}
	return named
}

// reloadScripts loads what is in the folder now, with the trunks in e.trunks.
func (e *engine) reloadScripts(ctx context.Context) error {
	_, err := e.policy.Reload(ctx)
	return scriptError(e.Config, err)
}
