package script

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/script/lib"
	"legwork/script/lua"
)

// generation is one consistent set of compiled scripts. All but what is
// counted and home is fixed once it is loaded.
type generation struct {
	cfg     *Config
	snap    *Snapshot
	name    string // main.lua@1a2b3c4d
	loaded  time.Time
	stamp   string // of the folder and the trunks it was made from
	main    *glua.FunctionProto
	modules map[string]*glua.FunctionProto
	files   map[string]string       // profile file by trunk
	foreign map[string]*foreignFile // CUCM script by trunk
	params  params
	tables  *lib.Tables               // b2b.table
	values  map[string]map[string]any // of params by trunk
	wants   uint32                    // bit by b2bua.Hook
	outside []string                  // hooks of requests outside any dialog, by name
	shards  []*shard
	turn    atomic.Uint32 // the shard of the next call
	home    *home         // where on_load ran
	errors  atomic.Uint64 // of its hooks
	misfits misfits       // the last of them
	policy  *Policy       // nil: it is only checked

	calls   int    // guarded by Policy.mu
	begun   uint64 // calls that were ever its; guarded by Policy.mu
	state   State  // guarded by Policy.mu
	retired bool   // guarded by Policy.mu
}

// loading limits the main part of a script, on_load and what it reads.
var loading = lua.Limits{Instructions: 20_000_000, Memory: 1 << 30, Deadline: 30 * time.Second}

// compile makes a generation of a snapshot, as far as that needs no VM.
func compile(cfg *Config, snap *Snapshot) (*generation, Problems) {
	g := &generation{
		cfg: cfg, snap: snap, name: snap.Main + "@" + snap.Hash,
		modules: map[string]*glua.FunctionProto{}, files: map[string]string{}, tables: lib.NewTables(snap.open),
	}
	problems := g.takeTrunks()
	names := snap.modules()
	if !cfg.Played {
		names = append(names, snap.Tests()...)
	}
	for _, name := range names {
		src := snap.Files[name]
		if blank(src) {
			problems = append(problems, Problem{File: name, Line: 1, Msg: "the file is empty; is it being saved?"})
			continue
		}
		proto, err := cfg.compile(name, src)
		if err != nil {
			problems = append(problems, problemOf(err))
			continue
		}
		if !isTest(name) && !g.takeForeign(name, proto) {
			g.modules[name] = proto
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	g.main = g.modules[snap.Main]
	return g, nil
}

func blank(src []byte) bool {
	for _, c := range src {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// profileFiles are the files named by trunks, each once.
func (g *generation) profileFiles() []string {
	var files []string
	for _, file := range g.files {
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// try loads the scripts in a first VM and checks what they say; the VM becomes
// the first shard's.
func (g *generation) try(ctx context.Context) Problems {
	m := g.newMachine()
	var problems Problems
	for _, name := range slices.Sorted(maps.Keys(g.modules)) {
		for _, p := range lua.Lint(g.modules[name], m.vm.Globals()) {
			if strings.HasPrefix(p.Made, "on_") && checkField(p.Made) == "" {
				p.Msg = p.Made + " is a global, which nobody calls; a hook stands in the table that the script returns: local M = {}, function M." + p.Made + "(...), return M"
			}
			problems = append(problems, Problem{File: p.File, Line: p.Line, Msg: p.Msg})
		}
		problems = append(problems, g.unknownServers(name)...)
	}
	if len(problems) > 0 {
		return problems
	}
	if err := m.load(ctx); err != nil {
		var many Problems
		if errors.As(err, &many) {
			return many
		}
		return Problems{problemOf(err)}
	}
	g.shards = append(g.shards, &shard{gen: g, m: m})
	g.learn(m)
	g.values, problems = g.params.values(g.cfg.Trunks())
	return slices.Concat(problems, m.warnings, g.unregistered(m))
}

// unknownServers finds b2b.redis and b2b.sql with a name that the configuration
// does not have: better now than in the first call that comes there.
func (g *generation) unknownServers(module string) (problems Problems) {
	known := g.cfg.Lib.Names()
	for _, l := range lua.Literals(g.modules[module], slices.Sorted(maps.Keys(known))) {
		if !slices.Contains(known[l.Function], l.Text) {
			problems = append(problems, Problem{File: l.File, Line: l.Line, Msg: lib.Unknown(l.Function, l.Text, known[l.Function])})
		}
	}
	return problems
}

// learn notes which hooks there are.
func (g *generation) learn(m *machine) {
	g.params = m.params
	for hook, fn := range m.hooks {
		if fn != nil {
			g.wants |= 1 << hook
		}
	}
	if g.outside = slices.Sorted(maps.Keys(m.outside)); len(g.outside) > 0 {
		g.wants |= 1 << b2bua.HookOutside
	}
	if m.responses.rules != nil {
		g.wants |= 1 << b2bua.HookFinal
	}
	for _, p := range m.profiles {
		if len(p.inbound) > 0 {
			g.wants |= 1 << b2bua.HookInbound
		}
		if len(p.outbound) > 0 {
			g.wants |= 1 << b2bua.HookOutbound
		}
	}
	g.learnForeign(m)
}

// fill makes the other shards.
func (g *generation) fill(ctx context.Context) error {
	for len(g.shards) < g.cfg.Machines {
		s := &shard{gen: g}
		if _, err := s.machine(ctx); err != nil {
			return err
		}
		g.shards = append(g.shards, s)
	}
	return nil
}

// profile is what applies to a trunk.
func (m *machine) profile(trunk string) profile { return m.profiles[m.gen.files[trunk]] }

// value of a param for a call from a trunk.
func (g *generation) value(trunk, name string) any {
	own, ok := g.values[trunk]
	if !ok {
		own = g.values[""]
	}
	return own[name]
}

// takeMain reads the table that the main file returned.
func (m *machine) takeMain(_ *glua.LState, v glua.LValue) error {
	file := m.gen.snap.Main
	t, ok := v.(*glua.LTable)
	if !ok {
		return &lua.Error{File: file, Line: 1, Msg: "a script returns its table of hooks, not " + kindOf(v) + "; end it with \"return M\""}
	}
	f := &faults{file: file, src: m.gen.snap.Files[file]}
	m.takeHooks(t, f)
	m.takeRest(t, f)
	if len(f.all) > 0 {
		return f.all
	}
	return nil
}

// faults collects what is wrong with the table of one file.
type faults struct {
	file string
	src  []byte
	all  Problems
}

// add finds the line: of the function, or else where the name is first written.
func (f *faults) add(name string, v glua.LValue, format string, args ...any) {
	p := Problem{File: f.file, Line: lineNaming(f.src, name), Msg: fmt.Sprintf(format, args...)}
	if fn, ok := v.(*glua.LFunction); ok && !fn.IsG {
		p.File, p.Line = fn.Proto.SourceName, fn.Proto.LineDefined
	}
	f.all = append(f.all, p)
}

// lineNaming is the first line that holds the name as a word; 1 when none does.
func lineNaming(src []byte, name string) int {
	n := 0
	for line := range strings.Lines(string(src)) {
		n++
		words := strings.FieldsFunc(line, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if slices.Contains(words, name) {
			return n
		}
	}
	return 1
}

// takeRest reads what is no hook.
func (m *machine) takeRest(t *glua.LTable, f *faults) {
	if v := t.RawGetString("responses"); v != glua.LNil {
		rules, ok := m.classes.mapping.Is(v)
		if !ok {
			f.add("responses", v, "M.responses is %s; want b2b.response_map{...}", kindOf(v))
		}
		m.responses = rules
	}
	m.profiles[""] = profileOf(t, "M.", f)
	declared, err := readParams(t.RawGetString("params"), m.gen.cfg.Trunks())
	if err != nil {
		f.add("params", glua.LNil, "%v", err)
	}
	m.params = declared
}

func hookOf(t *glua.LTable, name string, f *faults) *glua.LFunction {
	v := t.RawGetString(name)
	if v == glua.LNil {
		return nil
	}
	fn, ok := v.(*glua.LFunction)
	if !ok || fn.IsG {
		f.add(name, glua.LNil, "%s is %s; want a function", name, kindOf(v))
		return nil
	}
	return fn
}
