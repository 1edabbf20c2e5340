package script

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/cucm"
	"legwork/script/lua"
)

// foreignFile is the CUCM script of one trunk: several trunks may share a file,
// but neither its parameters nor its globals.
type foreignFile struct {
	name   string
	proto  *glua.FunctionProto
	params map[string]string
}

// takeTrunks notes which files trunks name.
func (g *generation) takeTrunks() (problems Problems) {
	table := g.cfg.Trunks()
	for _, name := range table.Names() {
		one := table.Get(name)
		switch {
		case one.CUCM != nil:
			if g.foreign == nil {
				g.foreign = map[string]*foreignFile{}
			}
			params := map[string]string{}
			for _, from := range []map[string]any{one.Params, one.CUCM.Params} {
				for k, v := range from {
					params[k] = fmt.Sprint(v)
				}
			}
			g.foreign[name] = &foreignFile{name: g.cfg.Source.key(one.CUCM.File), params: params}
		case one.Profile != "":
			g.files[name] = g.cfg.Source.key(one.Profile)
		}
	}
	for _, trunk := range slices.Sorted(maps.Keys(g.foreign)) {
		file := g.foreign[trunk].name
		if file == g.snap.Main || slices.Contains(g.profileFiles(), file) {
			problems = append(problems, Problem{File: file, Line: 1, Msg: "it is a script of Legwork, and trunk " + trunk + " takes it for one of CUCM"})
		}
	}
	return problems
}

// takeForeign keeps a CUCM script from the modules of ours: what is allowed there
// is an error here.
func (g *generation) takeForeign(file string, proto *glua.FunctionProto) (taken bool) {
	for _, one := range g.foreign {
		if one.name == file {
			one.proto, taken = proto, true
		}
	}
	return taken
}

// foreign is the script on one machine, loaded anew when a run has ruined its VM.
type foreign struct {
	m      *machine
	of     *foreignFile
	mu     sync.Mutex // guards script
	script *cucm.Script
}

func (m *machine) loadForeign(ctx context.Context) error {
	if len(m.gen.foreign) == 0 {
		return nil
	}
	m.foreign = map[string]*foreign{}
	seen := map[string]bool{}
	for _, trunk := range slices.Sorted(maps.Keys(m.gen.foreign)) {
		f := &foreign{m: m, of: m.gen.foreign[trunk]}
		warnings, err := f.load(ctx)
		if err != nil {
			return err
		}
		m.foreign[trunk] = f
		for _, w := range warnings {
			if !seen[f.of.name] {
				m.warnings = append(m.warnings, Problem{File: w.File, Line: w.Line, Msg: w.Msg, Warning: true})
			}
		}
		seen[f.of.name] = true
	}
	return nil
}

func (f *foreign) load(ctx context.Context) (warnings []lua.Problem, err error) {
	f.script, warnings, err = cucm.Load(ctx, cucm.Config{
		File: f.of.name, Proto: f.of.proto, Params: f.of.params, Rand: func() float64 { return f.m.gen.cfg.Lib.Float64("", nil) }, Trace: f.m.print,
		Cover: f.m.gen.cfg.Cover,
	}, loading)
	return warnings, err
}

func (f *foreign) live() (*cucm.Script, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.script.Dead() {
		last := f.script
		if _, err := f.load(context.Background()); err != nil {
			f.script = last
			return nil, fmt.Errorf("load the script again: %w", err)
		}
	}
	return f.script, nil
}

// learnForeign notes which messages the scripts want to see. Who may pass
// something through has to see where it goes, on whichever trunk.
func (g *generation) learnForeign(m *machine) {
	for _, f := range m.foreign {
		for _, h := range f.script.Handlers() {
			g.wants |= 1<<b2bua.HookInbound | 1<<b2bua.HookOutbound
			if h.Side == cucm.Inbound && h.Provisional() {
				g.wants |= 1 << b2bua.HookProgress // to block it
			}
		}
	}
}

// foreignRows are the handlers of a trunk's script.
func (m *machine) foreignRows(trunk string) (rows []ProfileRow) {
	f := m.foreign[trunk]
	if f == nil {
		return nil
	}
	for _, side := range []cucm.Side{cucm.Inbound, cucm.Outbound} {
		for _, h := range f.script.Handlers() {
			if h.Side == side {
				rows = append(rows, ProfileRow{Trunk: trunk, Side: string(side), Key: h.Key, File: h.File, Line: h.Line})
			}
		}
	}
	return rows
}

// foreignInbound runs the CUCM script of a leg's trunk; ours says that there is
// one, and no other profile runs.
func (r *router) foreignInbound(leg b2bua.Leg, msg *message.Message) (ours bool) {
	r.carried.forget(leg, msg)
	return r.runForeign(cucm.Inbound, leg, msg)
}

// foreignOutbound gives a message what was passed through to it, and then to the
// script of its trunk.
func (r *router) foreignOutbound(leg b2bua.Leg, msg *message.Message) (ours bool) {
	if pass := r.carried.take(leg, msg); pass != nil {
		edits := &foreignMessage{msg: msg, watched: r.watched}
		if err := pass.Apply(edits); err != nil {
			edits.restore()
			r.report("outbound", r.id(), err)
		} else {
			edits.told(r, leg, "pass through")
		}
	}
	return r.runForeign(cucm.Outbound, leg, msg)
}

func (r *router) runForeign(side cucm.Side, leg b2bua.Leg, msg *message.Message) (ours bool) {
	if r.gen.foreign[leg.Trunk] == nil {
		return false
	}
	m, err := r.shard.machine(context.Background())
	if err != nil {
		r.report(string(side), "", err)
		return true
	}
	script, err := m.foreign[leg.Trunk].live()
	if err != nil {
		r.report(string(side), r.id(), err)
		return true
	}
	h := script.Pick(side, msg)
	if h == nil {
		return true
	}
	if r.carried == nil {
		r.carried = &carried{contexts: map[int]*cucm.Context{}}
	}
	a := &asking{Context: context.Background(), r: r, hook: string(side) + " " + h.Key}
	run := lua.Run{Ctx: a, Hook: a.hook, Limits: r.gen.cfg.Limits.run(false)}
	edits := &foreignMessage{msg: msg, watched: r.watched}
	out, err := script.Run(&run, h, edits, r.carried.context(leg))
	if err != nil {
		edits.restore()
		r.report(string(side), r.id(), err)
		return true
	}
	edits.told(r, leg, a.hook)
	r.carried.keep(leg, msg, out, fmt.Sprintf("%s:%d", h.File, h.Line))
	return true
}
