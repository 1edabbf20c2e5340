package script

import (
	"fmt"
	"maps"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/trunk"
	"legwork/script/lua"
)

// param is one entry of M.params: what a trunk's params may set for the script.
type param struct {
	kind    string // string number boolean list trunk
	initial any    // nil: none
}

type params map[string]param

func (p params) names() []string { return slices.Sorted(maps.Keys(p)) }

// declared is where a script says what it takes.
const declared = "M.params"

func paramKinds() []string { return []string{"string", "number", "boolean", "list", "trunk"} }

// readParams reads M.params = {name = {type = "string", default = ...}}.
func readParams(v glua.LValue, trunks *trunk.Table) (params, error) {
	if v == glua.LNil {
		return nil, nil
	}
	t, ok := v.(*glua.LTable)
	if !ok {
		return nil, fmt.Errorf("%s is %s; want a table", declared, kindOf(v))
	}
	all := params{}
	var problem error
	t.ForEach(func(k, v glua.LValue) {
		if problem != nil {
			return
		}
		var p param
		if p, problem = readParam(v, trunks); problem != nil {
			problem = fmt.Errorf("%s.%s: %w", declared, k.String(), problem)
		}
		all[k.String()] = p
	})
	return all, problem
}

func readParam(v glua.LValue, trunks *trunk.Table) (param, error) {
	t, ok := v.(*glua.LTable)
	if !ok {
		return param{}, fmt.Errorf("want {type = ..., default = ...}, got %s", kindOf(v))
	}
	known := []string{"type", "default", "doc"}
	var problem error
	t.ForEach(func(k, _ glua.LValue) {
		if problem == nil && !slices.Contains(known, k.String()) {
			problem = fmt.Errorf("unknown key %q%s", k.String(), meant(k.String(), known))
		}
	})
	if problem != nil {
		return param{}, problem
	}
	kind := t.RawGetString("type").String()
	if !slices.Contains(paramKinds(), kind) {
		return param{}, fmt.Errorf("type %q is none of %v%s", kind, paramKinds(), near(kind, paramKinds()))
	}
	initial, err := lua.ToGo(t.RawGetString("default"))
	if err != nil {
		return param{}, fmt.Errorf("default: %w", err)
	}
	p := param{kind: kind, initial: initial}
	if initial != nil {
		if err := p.check(initial, trunks); err != nil {
			return param{}, fmt.Errorf("default: %w", err)
		}
	}
	return p, nil
}

// check says whether a value is of the declared type.
func (p param) check(v any, trunks *trunk.Table) error {
	ok := false
	switch v := v.(type) {
	case string:
		if p.kind == "trunk" && trunks.Get(v) == nil {
			return fmt.Errorf("there is no trunk %q%s", v, meant(v, trunks.Names()))
		}
		ok = p.kind == "string" || p.kind == "trunk"
	case bool:
		ok = p.kind == "boolean"
	case float64:
		ok = p.kind == "number"
	case []any:
		ok = p.kind == "list"
	case map[string]any:
		ok = p.kind == "list" && len(v) == 0
	}
	if !ok {
		return fmt.Errorf("want a %s, got %v; write one, or change M.params", p.kind, v)
	}
	return nil
}

// plainValue makes of a configuration's value what Lua would have: all numbers
// are float64.
func plainValue(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case []string:
		list := make([]any, 0, len(v))
		for _, one := range v {
			list = append(list, one)
		}
		return list
	case []any:
		list := make([]any, 0, len(v))
		for _, one := range v {
			list = append(list, plainValue(one))
		}
		return list
	}
	return v
}

// values are the params by trunk; "" has the defaults.
func (p params) values(trunks *trunk.Table) (map[string]map[string]any, Problems) {
	var problems Problems
	all := map[string]map[string]any{"": {}}
	for name, one := range p {
		all[""][name] = one.initial
	}
	for _, name := range trunks.Names() {
		own := maps.Clone(all[""])
		given := trunks.Get(name).Params
		for _, key := range slices.Sorted(maps.Keys(given)) {
			wanted, ok := p[key]
			switch {
			case !ok && trunks.Get(name).CUCM != nil: // it is for that script
				continue
			case !ok:
				problems = append(problems, Problem{
					Msg:     fmt.Sprintf("trunk %s: params.%s is not declared in M.params%s", name, key, meant(key, p.names())),
					Of:      Param{Trunk: name, Name: key},
					Warning: true,
				})
				continue
			}
			v := plainValue(given[key])
			if err := wanted.check(v, trunks); err != nil {
				problems = append(problems, Problem{
					Msg: fmt.Sprintf("trunk %s: params.%s: %v", name, key, err), Of: Param{Trunk: name, Name: key},
				})
			}
			own[key] = v
		}
		all[name] = own
	}
	return all, problems
}
