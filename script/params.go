package script

import (
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/script/lua"
)

// paramsView is the ";name=value" of a URI or an address, or the "?name=value"
// of a URI: uri.params.user = "phone". An empty value writes the name alone,
// nil removes it.
type paramsView struct {
	uri     *uriView
	headers bool // those behind "?"
	addr    *addrView
}

func (v *paramsView) read(L *glua.LState) message.Params {
	switch {
	case v.addr != nil:
		return v.addr.read(L).Params
	case v.headers:
		return splitHeaders(v.uri.read(L).Headers)
	}
	return v.uri.read(L).Params
}

func paramsDef() lua.ClassDef[*paramsView] {
	return lua.ClassDef[*paramsView]{
		Index: func(L *glua.LState, v *paramsView, key glua.LValue) glua.LValue { return v.get(L, wantText(L, key)) },
		NewIndex: func(L *glua.LState, v *paramsView, key, value glua.LValue) bool {
			v.set(L, wantText(L, key), value)
			return true
		},
		Methods: map[string]glua.LGFunction{"each": eachParam},
	}
}

func (v *paramsView) get(L *glua.LState, name string) glua.LValue {
	for _, p := range v.read(L) {
		if strings.EqualFold(p.Name, name) {
			value, _ := message.Params{p}.Get(p.Name)
			if v.addr == nil {
				value = unescape(value)
			}
			return glua.LString(value)
		}
	}
	return glua.LNil
}

func (v *paramsView) set(L *glua.LState, name string, value glua.LValue) {
	if !message.IsToken(name) {
		lua.RaiseAt(L, "%q is not a parameter's name", name)
	}
	switch value {
	case glua.LTrue: // ";lr"
		value = glua.LString("")
	case glua.LFalse:
		value = glua.LNil
	}
	if value == glua.LNil {
		v.change(L, name, func(p *message.Params) { p.Del(name) })
		return
	}
	s := wantText(L, value)
	must(L, checkText(name, s))
	switch {
	case v.addr != nil:
		s = quoted(s)
	case v.headers:
		s = escape(s, hnvExtra)
	default:
		s = escape(s, paramExtra)
	}
	v.change(L, name, func(p *message.Params) { p.Set(name, s) })
}

func (v *paramsView) change(L *glua.LState, name string, edit func(*message.Params)) {
	switch {
	case v.addr != nil:
		if v.addr.field != nil && tagged(v.addr.name) && strings.EqualFold(name, "tag") {
			must(L, errTag)
		}
		v.addr.edit(L, func(a *message.Addr) { edit(&a.Params) })
	case v.headers:
		v.uri.edit(L, func(u *message.URI) {
			p := splitHeaders(u.Headers)
			edit(&p)
			u.Headers = joinHeaders(p)
		})
	default:
		v.uri.edit(L, func(u *message.URI) { edit(&u.Params) })
	}
}

// eachParam iterates: for name, value in uri.params:each() do
func eachParam(L *glua.LState) int {
	v := self[*paramsView](L, "params")
	all := slices.Clone(v.read(L))
	i := 0
	L.Push(closure(L, func(L *glua.LState) int {
		if i == len(all) {
			L.Push(glua.LNil)
			return 1
		}
		i++
		L.Push(glua.LString(all[i-1].Name))
		L.Push(v.get(L, all[i-1].Name))
		return 2
	}))
	return 1
}

// splitHeaders reads "a=1&b=2" (RFC 3261 section 19.1.1).
func splitHeaders(s string) message.Params {
	var all message.Params
	for one := range strings.SplitSeq(s, "&") {
		if one != "" {
			name, value, has := strings.Cut(one, "=")
			all = append(all, message.Param{Name: name, Value: value, HasValue: has})
		}
	}
	return all
}

func joinHeaders(all message.Params) string {
	parts := make([]string, 0, len(all))
	for _, p := range all {
		parts = append(parts, p.Name+"="+p.Value)
	}
	return strings.Join(parts, "&")
}

// quoted writes a header parameter's value: a token or a host as it is, else
// in quotes (RFC 3261 section 25.1).
func quoted(s string) string {
	plain := func(r rune) bool {
		return r < 128 && (alphanumeric(byte(r)) || strings.ContainsRune("-.!%*_+`'~[]:", r))
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
