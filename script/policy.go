package script

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/trunk"
	"legwork/script/lib"
	"legwork/script/lua"
)

// Config is what scripts are run with.
type Config struct {
	Source Source
	// Trunks is the table that is live now; it is asked at each load and by
	// decisions that name a trunk.
	Trunks func() *trunk.Table
	States *trunk.States
	// Realm is the configured one, of challenges that name none; nil: "legwork".
	Realm  func() string
	Lib    *lib.Env // the libraries below b2b, shared with other generations
	Limits Limits
	// Test runs the *_test.lua of a snapshot before it becomes live; nil: none
	// are run.
	Test func(ctx context.Context, s *Snapshot) error
	// Errors counts an error of a hook; Reloaded hears of each attempt to load,
	// but for those that found nothing new. Both may be nil.
	Errors   func(hook string)
	Reloaded func(Report)
	// Bench is asked at each error; nil: no generation is benched. Changed hears
	// what becomes of generations besides reloads, in one line; it may be nil.
	Bench   func() Bench
	Changed func(c Change, text string)
	// Keep makes the files of a deployment those of the scripts' folder, or
	// changes nothing and says why; nil: there is no folder to keep them in.
	Keep     func(files fs.FS) error
	Log      *slog.Logger
	Machines int                               // VMs; 0: two per core
	Settle   time.Duration                     // between a change and its reload; 0: 200 ms
	Poll     time.Duration                     // where no change is announced; 0: 4 s
	Notify   func() (*fsnotify.Watcher, error) // announces changes; nil: fsnotify.NewWatcher

	// Compiled remembers what was compiled, for those who load scripts many times;
	// nil: nothing does.
	Compiled *lua.Compiled
	Cover    *lua.Coverage // notes the lines that run; nil: nothing does
	// Played says that the scripts are only played, in a test or to see what they
	// do: a test beside them that does not compile is none of their business.
	Played bool

	libraries map[string]func(*glua.LState) glua.LValue // besides b2b, for require
	apart     bool                                      // of a shadow: nothing outside of it is changed
}

func (c *Config) compile(name string, src []byte) (*glua.FunctionProto, error) {
	if c.Compiled != nil {
		return c.Compiled.Compile(name, src)
	}
	return lua.Compile(name, src)
}

// Limits are those of contract/lua-api.md section 6. A zero field is the
// default there.
type Limits struct {
	Instructions int
	Memory       int           // bytes of strings and tables
	Wait         time.Duration // deadline of a hook that may wait
	Deadline     time.Duration // of the others
}

func (l Limits) run(waits bool) lua.Limits {
	one := lua.Limits{Instructions: l.Instructions, Memory: l.Memory, Deadline: l.Deadline}
	if waits {
		one.Deadline = l.Wait
	}
	return one
}

// Policy is the live generation of scripts and those that calls still use. It
// implements b2bua.Policy.
type Policy struct {
	cfg    Config
	load   sync.Mutex            // one load at a time
	unload sync.WaitGroup        // of freed generations
	trial  atomic.Pointer[trial] // changes under mu; nil: nothing is tried

	mu       sync.Mutex // guards all below, and calls and retired of generations
	live     *generation
	old      []*generation
	rejected string // stamp of the last snapshot that did not load
	failure  error  // of the last load; nil: it was good
	failed   time.Time
	good     *origin     // of the last generation that was worth coming back to; nil: none was
	benched  *Generation // that no call uses any more
	last     *Trial      // how the last trial ended
}

// New loads the scripts. The error is Problems when they are to blame.
func New(ctx context.Context, cfg Config) (*Policy, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	p := &Policy{cfg: cfg}
	if _, err := p.Reload(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (c *Config) complete() error {
	switch {
	case c.Source.Path == "":
		return errors.New("script: no path")
	case c.Trunks == nil || c.States == nil:
		return errors.New("script: no trunks")
	case c.Lib == nil:
		return errors.New("script: no libraries")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Realm == nil {
		c.Realm = func() string { return "legwork" }
	}
	if c.Errors == nil {
		c.Errors = func(string) {}
	}
	if c.Reloaded == nil {
		c.Reloaded = func(Report) {}
	}
	if c.Bench == nil {
		c.Bench = func() Bench { return Bench{} }
	}
	if c.Changed == nil {
		c.Changed = func(Change, string) {}
	}
	if c.Machines <= 0 {
		c.Machines = 2 * runtime.GOMAXPROCS(0)
	}
	if c.Notify == nil {
		c.Notify = fsnotify.NewWatcher
	}
	if c.Settle <= 0 {
		c.Settle = 200 * time.Millisecond
	}
	if c.Poll <= 0 {
		c.Poll = 4 * time.Second
	}
	return nil
}

// Router pins a call to the live generation.
func (p *Policy) Router(handle b2bua.Handle) b2bua.Router {
	if t := p.trial.Load(); t != nil {
		return p.tried(t, handle)
	}
	p.mu.Lock()
	g := p.live
	g.calls++
	g.begun++
	p.mu.Unlock()
	return p.route(g, handle)
}

func (p *Policy) route(g *generation, handle b2bua.Handle) *router {
	turn := int(g.turn.Add(1))
	return &router{policy: p, gen: g, handle: handle, watched: handle.Watched(), shard: g.shards[turn%len(g.shards)]}
}

// tried pins a call to the generation that a trial has for it, or to the live
// one when the trial is over by now.
func (p *Policy) tried(t *trial, handle b2bua.Handle) b2bua.Router {
	if t.shadow != nil {
		return p.shadowed(t, handle)
	}
	g, out := t.choose(handle)
	p.mu.Lock()
	if p.trial.Load() != t {
		g, out = p.live, nil
	}
	g.calls++
	g.begun++
	p.mu.Unlock()
	r := p.route(g, handle)
	r.outcome = out
	return r
}

// shadowed pins a call to the live generation and has the shadow listen; requests
// outside any dialog are not compared.
func (p *Policy) shadowed(t *trial, handle b2bua.Handle) b2bua.Router {
	p.mu.Lock()
	g := p.live
	g.calls++
	g.begun++
	p.mu.Unlock()
	r := p.route(g, handle)
	if o, ok := handle.(opener); !ok || !o.Opening().Call {
		return r
	}
	return t.shadow.follow(r)
}

// leave counts a call out; the last one of an old generation frees it.
func (p *Policy) leave(g *generation) {
	p.mu.Lock()
	g.calls--
	free := g.retired && g.calls == 0
	if free {
		p.forget(g)
		p.freed(g)
	}
	p.mu.Unlock()
	if free {
		p.unload.Go(g.unload)
	}
}

// forget takes an old generation off the list; p.mu is held.
func (p *Policy) forget(g *generation) {
	for i, one := range p.old {
		if one == g {
			p.old = append(p.old[:i], p.old[i+1:]...)
			return
		}
	}
}

// swap makes g live and the last one what is said; g nil only retires. p.mu is
// not held.
func (p *Policy) swap(g *generation, as State) {
	p.mu.Lock()
	last := p.live
	if g != nil {
		p.live, g.state = g, Live
	}
	free := false
	if last != nil && !last.retired {
		last.retired, last.state = true, as
		p.remember(last)
		if free = last.calls == 0; free {
			p.freed(last)
		} else {
			p.old = append(p.old, last)
		}
	}
	p.mu.Unlock()
	if free {
		p.unload.Go(last.unload)
	}
}

// Close frees the generations that no call uses, and waits for those that are
// being freed. Calls in progress may go on; no new one may come.
func (p *Policy) Close() {
	_ = p.Rollback("shutdown") // there may be nothing to roll back
	p.swap(nil, Old)
	p.unload.Wait()
}
