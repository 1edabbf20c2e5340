package script

import (
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/trunk"
	"legwork/script/lua"
)

// legView is a leg as it was when the hook was asked.
type legView struct {
	m   *machine
	leg b2bua.Leg
}

func legDef() lua.ClassDef[legView] {
	return lua.ClassDef[legView]{
		Get: map[string]getter[legView]{
			"role": func(_ *glua.LState, v legView) glua.LValue { return glua.LString(v.leg.Role.String()) },
			"trunk": func(L *glua.LState, v legView) glua.LValue {
				if v.leg.Trunk == "" {
					return glua.LNil
				}
				return v.m.classes.trunk.New(L, trunkView{v.m, v.leg.Trunk})
			},
			"target":     func(_ *glua.LState, v legView) glua.LValue { return text(v.leg.Target) },
			"rang":       func(_ *glua.LState, v legView) glua.LValue { return glua.LBool(v.leg.Rang) },
			"local_host": func(_ *glua.LState, v legView) glua.LValue { return text(v.leg.Local) },
			"remote":     func(_ *glua.LState, v legView) glua.LValue { return text(v.leg.Remote) },
		},
		Meta: withEqual(toString(func(v legView) string { return "leg " + v.leg.Role.String() }), func(a, b legView) bool {
			return a.leg.Index == b.leg.Index
		}),
	}
}

// trunkView is leg.trunk.
type trunkView struct {
	m    *machine
	name string
}

func trunkDef() lua.ClassDef[trunkView] {
	return lua.ClassDef[trunkView]{
		Get: map[string]getter[trunkView]{
			"name": func(_ *glua.LState, v trunkView) glua.LValue { return glua.LString(v.name) },
			"up":   func(L *glua.LState, v trunkView) glua.LValue { return v.m.up(L, v.name) },
			"trusted": func(_ *glua.LState, v trunkView) glua.LValue {
				switch v.m.gen.cfg.Trunks().Trust(v.name) {
				case trunk.Trusted:
					return glua.LTrue
				case trunk.Untrusted:
					return glua.LFalse
				}
				return glua.LNil
			},
			"stats": func(L *glua.LState, v trunkView) glua.LValue { return v.m.stats(L, v.name) },
		},
		Methods: map[string]glua.LGFunction{"penalize": penalize},
		Meta:    withEqual(toString(func(v trunkView) string { return v.name }), func(a, b trunkView) bool { return a == b }),
	}
}

// penalize is trunk:penalize(seconds): it counts as down so long. Nobody is
// penalized for a trial.
func penalize(L *glua.LState) int {
	v := self[trunkView](L, "trunk")
	n, ok := lua.ToNumber(L.Get(2))
	if !ok || !(n > 0) || n > maxSeconds {
		lua.RaiseAt(L, "want seconds, more than 0, got %s", kindOf(L.Get(2)))
	}
	if v.m.gen.cfg.apart {
		return 0
	}
	v.m.gen.cfg.States.Of(v.name).Penalize(time.Now().Add(time.Duration(n * float64(time.Second))))
	return 0
}

// stats is a table made anew: up, calls, attempts, answered, failed.
func (m *machine) stats(L *glua.LState, name string) glua.LValue {
	s := m.gen.cfg.States.Of(name).Stats()
	return lua.FromGo(L, m.gen.cfg.Lib.Meet(callOf(L), memoOf(L), "stats "+name, map[string]any{
		"up": s.Up, "calls": float64(s.Calls), "attempts": float64(s.Attempts), "answered": float64(s.Answered), "failed": float64(s.Failed),
	}))
}

// up tells whether a trunk is.
func (m *machine) up(L *glua.LState, name string) glua.LValue {
	return lua.FromGo(L, m.gen.cfg.Lib.Meet(callOf(L), memoOf(L), "up "+name, m.gen.cfg.States.Of(name).Up()))
}

// trunkUp is b2b.trunk.up(name).
func (m *machine) trunkUp(L *glua.LState) int {
	name := wantText(L, L.Get(1))
	m.checkTrunk(L, "b2b.trunk.up", name)
	L.Push(m.up(L, name))
	return 1
}

// trunkStats is b2b.trunk.stats(name).
func (m *machine) trunkStats(L *glua.LState) int {
	name := wantText(L, L.Get(1))
	m.checkTrunk(L, "b2b.trunk.stats", name)
	L.Push(m.stats(L, name))
	return 1
}

// trunkList is b2b.trunk.list(): the names, in order.
func (m *machine) trunkList(L *glua.LState) int {
	L.Push(lua.FromGo(L, m.gen.cfg.Trunks().Names()))
	return 1
}
