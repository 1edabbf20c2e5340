package script

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/script/lib"
	"legwork/script/lua"
)

// machine is one Lua VM with a generation's scripts loaded. Module-level
// variables of a script are per machine. All but vm and gen belongs to the VM's
// lock; hooks, outside, profiles and responses no longer change once it is loaded.
type machine struct {
	gen       *generation
	vm        *lua.VM
	classes   classes
	hooks     [b2bua.HookRefer + 1]*glua.LFunction
	outside   map[string]*glua.LFunction // of requests outside any dialog, by name
	onLoad    *glua.LFunction
	onUnload  *glua.LFunction
	responses mapping // M.responses; without rules: there is none
	params    params
	profiles  map[string]profile  // by file; "" is the main script's
	foreign   map[string]*foreign // CUCM script by trunk
	warnings  Problems            // of loading
}

// classes are the objects of contract/lua-api.md section 3.
type classes struct {
	call     *lua.Class[*callView]
	txn      *lua.Class[*callView]
	leg      *lua.Class[legView]
	trunk    *lua.Class[trunkView]
	source   *lua.Class[*b2bua.Source]
	values   *lua.Class[valuesView]
	message  *lua.Class[*messageView]
	header   *lua.Class[headerView]
	uri      *lua.Class[*uriView]
	params   *lua.Class[*paramsView]
	addr     *lua.Class[*addrView]
	sdp      *lua.Class[*sdpView]
	stream   *lua.Class[streamView]
	decision *lua.Class[*decision]
	mapping  *lua.Class[mapping]
	loader   *lua.Class[*home]
}

// newMachine makes the VM; load runs the scripts in it.
func (g *generation) newMachine() *machine {
	m := &machine{gen: g, outside: map[string]*glua.LFunction{}, profiles: map[string]profile{}}
	libraries := map[string]func(*glua.LState) glua.LValue{"b2b": m.open}
	maps.Copy(libraries, g.cfg.libraries)
	m.vm = lua.NewVM(lua.Config{
		Rand:      func(L *glua.LState) float64 { return g.cfg.Lib.Float64(callOf(L), memoOf(L)) },
		Now:       func(L *glua.LState) time.Time { return g.cfg.Lib.Now(callOf(L), memoOf(L)) },
		Since:     func(L *glua.LState, began time.Time) time.Time { return g.cfg.Lib.Since(callOf(L), memoOf(L), began) },
		Print:     m.print,
		Modules:   g.modules,
		Libraries: libraries,
		Globals:   []string{"b2b"},
		Cover:     g.cfg.Cover,
	})
	return m
}

// load runs the main file and the profiles.
func (m *machine) load(ctx context.Context) error {
	if err := m.run(ctx, m.gen.main, m.takeMain); err != nil {
		return err
	}
	for _, file := range m.gen.profileFiles() {
		take := func(_ *glua.LState, v glua.LValue) error { return m.takeProfile(file, v) }
		if err := m.run(ctx, m.gen.modules[file], take); err != nil {
			return err
		}
	}
	return m.loadForeign(ctx)
}

func (m *machine) run(ctx context.Context, file *glua.FunctionProto, take func(*glua.LState, glua.LValue) error) error {
	run := lua.Run{Ctx: ctx, Hook: "the main part of a script", Limits: loading}
	return m.vm.Call(&run, m.vm.Function(file), nil, take)
}

func (m *machine) print(L *glua.LState, line string) {
	file, at := lua.Where(L)
	attrs := []any{"script", file, "line", at}
	if a := askingOf(L); a != nil && a.r != nil {
		attrs = append(attrs, "call", a.r.id())
	}
	m.gen.cfg.Log.Info(line, attrs...)
}

// open makes the global b2b.
func (m *machine) open(L *glua.LState) glua.LValue {
	m.classes = classes{
		call: lua.NewClass(L, "call", callDef()), txn: lua.NewClass(L, "txn", txnDef()),
		leg:   lua.NewClass(L, "leg", legDef()),
		trunk: lua.NewClass(L, "trunk", trunkDef()), source: lua.NewClass(L, "source", sourceDef()),
		values: lua.NewClass(L, "params", valuesDef()), message: lua.NewClass(L, "message", messageDef()),
		header: lua.NewClass(L, "h", headerDef()), uri: lua.NewClass(L, "uri", m.uriDef()),
		params: lua.NewClass(L, "params", paramsDef()), addr: lua.NewClass(L, "addr", m.addrDef()),
		sdp: lua.NewClass(L, "sdp", m.sdpDef()), stream: lua.NewClass(L, "stream", streamDef()),
		decision: lua.NewClass(L, "decision", decisionDef()), mapping: lua.NewClass(L, "response_map", mappingDef()),
		loader: lua.NewClass(L, "ctx", loaderDef()),
	}
	b2b, trunks := L.NewTable(), L.NewTable()
	lua.Register(L, b2b, m.decisions())
	lua.Register(L, b2b, map[string]glua.LGFunction{"uri": m.newURI, "addr": m.newAddr, "response_map": m.newMapping})
	lua.Register(L, trunks, map[string]glua.LGFunction{"up": m.trunkUp, "stats": m.trunkStats, "list": m.trunkList})
	lib.Open(L, b2b, m.gen.cfg.Lib, lib.Scope{Owner: ownerOf, Call: callOf, Memo: memoOf, Watch: watcherOf, Tables: m.gen.tables})
	b2b.RawSetString("trunk", lua.ReadOnly(L, "b2b.trunk", trunks))
	return lua.ReadOnly(L, "b2b", b2b)
}

// shard is where calls are pinned to: one machine, and the next one when a
// hook has ruined it.
type shard struct {
	gen *generation
	mu  sync.Mutex // guards m
	m   *machine
}

// machine gives the live one.
func (s *shard) machine(ctx context.Context) (*machine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m != nil && !s.m.vm.Dead() {
		return s.m, nil
	}
	m := s.gen.newMachine()
	if err := m.load(ctx); err != nil {
		return nil, fmt.Errorf("load the script again: %w", err)
	}
	s.m = m
	return m, nil
}

// asking is one run of a hook. It is the context of the run, so that a binding
// finds whose call it serves.
type asking struct {
	context.Context
	r    *router      // nil outside of a call
	msg  *messageView // what the hook was given, if anything
	hook string
}

type askingKey struct{}

func (a *asking) Value(key any) any {
	if key == (askingKey{}) {
		return a
	}
	return a.Context.Value(key)
}

// askingOf is nil while a script is loaded.
func askingOf(L *glua.LState) *asking {
	if ctx := L.Context(); ctx != nil {
		a, _ := ctx.Value(askingKey{}).(*asking)
		return a
	}
	return nil
}

// callOf is the id of the call that a hook works for.
func callOf(L *glua.LState) string {
	if a := askingOf(L); a != nil && a.r != nil {
		return a.r.id()
	}
	return ""
}

// memoOf is what the call remembers that a hook works for; nil: nothing.
func memoOf(L *glua.LState) lib.Memo {
	if a := askingOf(L); a != nil && a.r != nil && a.r.memory != nil {
		return a.r.memory.within(a.hook)
	}
	return nil
}

// ownerOf is the call that a hook works for: what it holds ends with the call.
func ownerOf(L *glua.LState) lib.Owner {
	if a := askingOf(L); a != nil && a.r != nil {
		return a.r.handle
	}
	return nil
}
