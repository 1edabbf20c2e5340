package script

import (
	"context"
	"errors"
	"sync"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// home is the one machine of a generation on which on_load ran and its timers
// run. When a timer or a call has ruined the machine, on_load runs again on the
// one that replaces it.
type home struct {
	gen    *generation
	ctx    context.Context // ends with the generation
	cancel context.CancelFunc
	work   sync.WaitGroup // timers that are running

	mu     sync.Mutex // guards all below
	m      *machine
	ticks  []*tick
	closed bool
}

// tick is one ctx:every.
type tick struct {
	of    *home
	m     *machine
	fn    *glua.LFunction
	pause time.Duration
	timer *time.Timer
}

// maxTicks bounds the timers of one generation; minTick how often one runs.
const (
	maxTicks = 64
	minTick  = 100 * time.Millisecond
)

// settle runs on_load.
func (g *generation) settle(ctx context.Context) error {
	h := &home{gen: g}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if err := h.move(ctx, g.shards[0].m); err != nil {
		h.close()
		return err
	}
	g.home = h
	return nil
}

// move makes m the home.
func (h *home) move(ctx context.Context, m *machine) error {
	h.mu.Lock()
	h.stop()
	h.m = m
	h.mu.Unlock()
	if m.onLoad == nil {
		return nil
	}
	run := lua.Run{Ctx: &asking{Context: ctx, hook: "on_load"}, Hook: "on_load", Limits: loading}
	return m.vm.Call(&run, m.onLoad, func(L *glua.LState) int {
		L.Push(m.classes.loader.New(L, h))
		return 1
	}, nil)
}

// stop stops the timers; h.mu is held.
func (h *home) stop() {
	for _, t := range h.ticks {
		t.timer.Stop()
	}
	h.ticks = nil
}

func (h *home) close() {
	h.mu.Lock()
	h.closed = true
	h.stop()
	h.mu.Unlock()
	h.cancel()
	h.work.Wait()
}

func loaderDef() lua.ClassDef[*home] {
	return lua.ClassDef[*home]{Methods: map[string]glua.LGFunction{"every": every}}
}

// every is ctx:every(seconds, fn): fn() may wait, and never runs twice at once.
func every(L *glua.LState) int {
	h := self[*home](L, "ctx")
	n, ok := lua.ToNumber(L.Get(2))
	if !ok || !(n > 0) || n > maxSeconds {
		lua.RaiseAt(L, "ctx:every(seconds, fn): want seconds, more than 0, got %s", kindOf(L.Get(2)))
	}
	fn, ok := L.Get(3).(*glua.LFunction)
	if !ok || fn.IsG {
		lua.RaiseAt(L, "ctx:every(seconds, fn): want a function, got %s", kindOf(L.Get(3)))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.ticks) >= maxTicks {
		lua.RaiseAt(L, "ctx:every: at most %d timers, made while the script is loaded", maxTicks)
	}
	t := &tick{of: h, m: h.m, fn: fn, pause: max(time.Duration(n*float64(time.Second)), minTick)}
	t.timer = time.AfterFunc(t.pause, t.run)
	h.ticks = append(h.ticks, t)
	return 0
}

// run is one beat, and sets the next.
func (t *tick) run() {
	h := t.of
	h.mu.Lock()
	if h.closed || h.m != t.m {
		h.mu.Unlock()
		return
	}
	h.work.Add(1)
	h.mu.Unlock()
	defer h.work.Done()
	run := lua.Run{
		Ctx: &asking{Context: h.ctx, hook: "a timer of on_load"}, Hook: "a timer of on_load", MayWait: true,
		Limits: h.gen.cfg.Limits.run(true),
	}
	if err := t.m.vm.Call(&run, t.fn, nil, nil); err != nil && !errors.Is(err, lua.ErrDead) {
		h.report("every", err)
	}
	if t.m.vm.Dead() {
		h.rebuild(t.m)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed && h.m == t.m {
		t.timer.Reset(t.pause)
	}
}

// rebuild moves to a new machine, once for a dead one.
func (h *home) rebuild(dead *machine) {
	h.mu.Lock()
	done := h.closed || h.m != dead
	h.mu.Unlock()
	if done {
		return
	}
	m, err := h.gen.shards[0].machine(h.ctx)
	if err == nil {
		err = h.move(h.ctx, m)
	}
	if err != nil {
		h.report("on_load", err)
	}
}

func (h *home) report(hook string, err error) {
	if errors.Is(err, lua.ErrCancelled) {
		return
	}
	p := problemOf(err)
	h.gen.cfg.Log.Error("hook failed", "hook", hook, "script", p.File, "line", p.Line, "generation", h.gen.name,
		"err", p.Msg, "traceback", p.Traceback)
	h.gen.erred(hook)
}

// unload ends a generation that no call uses any more: timers, then on_unload.
func (g *generation) unload() {
	if g.home == nil {
		return
	}
	m := g.home.m
	g.home.close()
	if m.onUnload == nil {
		return
	}
	run := lua.Run{Ctx: &asking{Context: context.Background(), hook: "on_unload"}, Hook: "on_unload", Limits: g.cfg.Limits.run(false)}
	if err := m.vm.Call(&run, m.onUnload, nil, nil); err != nil && !errors.Is(err, lua.ErrDead) {
		g.home.report("on_unload", err)
	}
}
