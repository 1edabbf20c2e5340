package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// Profile is who edits the messages of a trunk: one file, of one of two kinds. A
// name alone is that of a file of ours.
type Profile struct {
	Lua    string `yaml:"lua" doc:"Lua file with inbound and outbound message profiles; \"profile: FILE\" says the same."`
	CUCM   string `yaml:"cucm" doc:"In its place: a script for SIP normalization of Cisco CUCM, as it is."`
	Params Params `yaml:"params" doc:"What scriptParameters gives that script, before params of the trunk."`
}

// decode takes the name of a file, or the mapping.
func (p *Profile) decode(r *reader, n ast.Node, name string) bool {
	if _, ok := n.(ast.MapNode); ok {
		return r.structure(n, reflect.ValueOf(p).Elem(), field{key: name})
	}
	file, ok := r.text(n, name)
	p.Lua = file
	m := place(n)
	m.wrong = !ok
	r.at[&p.Lua] = m
	return ok
}

func (p *Profile) resolve(dir string) {
	if p != nil {
		p.Lua, p.CUCM = within(dir, p.Lua), within(dir, p.CUCM)
	}
}

func (r *reader) profile(p *Profile) {
	if p == nil {
		return
	}
	r.checkFile(&p.Lua, p.Lua, "profile")
	r.checkFile(&p.CUCM, p.CUCM, "cucm")
	if p.Lua != "" && p.CUCM != "" {
		r.refuse(&p.CUCM, "profile: lua and cucm at once", "remove one of them")
	}
	if p.CUCM == "" && len(p.Params) > 0 {
		r.refuse(&p.Params, "profile: params without cucm", "params of the trunk are those of scripts of ours")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Params)) {
		switch p.Params[name].(type) {
		case []any, map[string]any:
			r.refuse(&p.Params, fmt.Sprintf("params: %s is not a plain value", name), "a script of CUCM gets text: write a string or a number")
		}
	}
}
