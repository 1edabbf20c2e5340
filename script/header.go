package script

import (
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// headerView is message.h: the header fields by name, whatever its case and
// whether it is compact.
type headerView struct{ of *messageView }

func getHeaders(L *glua.LState, self *messageView) glua.LValue {
	v := self
	v.read(L)
	if v.h == nil {
		v.h = v.m.classes.header.New(L, headerView{v})
	}
	return v.h
}

func headerDef() lua.ClassDef[headerView] {
	return lua.ClassDef[headerView]{
		Index: func(L *glua.LState, v headerView, key glua.LValue) glua.LValue {
			value, ok := v.of.read(L).Lookup(wantText(L, key))
			if !ok {
				return glua.LNil
			}
			return glua.LString(value)
		},
		NewIndex: func(L *glua.LState, v headerView, key, value glua.LValue) bool {
			name := wantText(L, key)
			values := wantField(L, name, value)
			_, had := v.of.read(L).Lookup(name)
			must(L, setHeader(v.of.edit(L), name, values...))
			if had || len(values) > 0 {
				v.of.wroteField(L, name, values)
			}
			if message.Same(name, "Content-Type") {
				v.of.sdp, v.of.noSDP = nil, false
			}
			return true
		},
		Methods: map[string]glua.LGFunction{
			"all":  allHeaders,
			"add":  addHeaders,
			"has":  hasHeader,
			"keep": keepOnly,
			"drop": dropAll,
			"each": eachHeader,
			"addr": headerAddr,
		},
	}
}

// wantField reads what is written to a field. A URI object stands in brackets
// where addresses do: its parameters stay its own (RFC 3261 section 20.10).
func wantField(L *glua.LState, name string, value glua.LValue) []string {
	values := wantValues(L, value)
	if !holdsAddresses(name) {
		return values
	}
	for i, one := range values {
		v := value
		if t, ok := value.(*glua.LTable); ok {
			v = t.RawGetInt(i + 1)
		}
		if ud, ok := v.(*glua.LUserData); ok {
			if _, ok := ud.Value.(*uriView); ok {
				values[i] = "<" + one + ">"
			}
		}
	}
	return values
}

func holdsAddresses(name string) bool {
	return message.SameAny(name, []string{
		"From", "To", "Contact", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info",
		"Referred-By", "Refer-To", "Reply-To",
	})
}

// allHeaders is h:all(name): a list of the values, one per field line.
func allHeaders(L *glua.LState) int {
	v, name := self[headerView](L, "h").of, wantText(L, L.Get(2))
	list := L.NewTable()
	for _, value := range v.read(L).All(name) {
		list.Append(glua.LString(value))
	}
	L.Push(list)
	return 1
}

// addHeaders is h:add(name, value).
func addHeaders(L *glua.LState) int {
	v, name := self[headerView](L, "h").of, wantText(L, L.Get(2))
	for _, value := range wantField(L, name, L.Get(3)) {
		must(L, addHeader(v.edit(L), name, value))
		v.wrote(L, b2bua.OpAdd, name, value)
	}
	return 0
}

// hasHeader is h:has(name[, token]).
func hasHeader(L *glua.LState) int {
	v, name := self[headerView](L, "h").of, wantText(L, L.Get(2))
	_, found := v.read(L).Lookup(name)
	if found && L.GetTop() > 2 && L.Get(3) != glua.LNil {
		found = v.read(L).HasToken(name, wantText(L, L.Get(3)))
	}
	L.Push(glua.LBool(found))
	return 1
}

// wantPatterns are names, or beginnings of names with * behind.
func wantPatterns(L *glua.LState, list []string) []string {
	for _, one := range list {
		if name, _ := strings.CutSuffix(one, "*"); strings.Contains(name, "*") {
			lua.RaiseAt(L, "%q is not a pattern: * stands at the end alone, as in \"X-*\"", one)
		}
	}
	return list
}

func keepOnly(L *glua.LState) int {
	v := self[headerView](L, "h").of
	patterns := wantPatterns(L, wantNames(L, L.Get(2)))
	keepHeaders(v.edit(L), patterns)
	v.wrotePatterns(L, b2bua.OpKeep, patterns)
	return 0
}

func dropAll(L *glua.LState) int {
	v := self[headerView](L, "h").of
	patterns := wantPatterns(L, wantNames(L, L.Get(2)))
	must(L, dropHeaders(v.edit(L), patterns))
	v.wrotePatterns(L, b2bua.OpDrop, patterns)
	return 0
}

// eachHeader iterates over the fields as they are now, so that the loop may
// edit them: for name, value in h:each("X-*") do
func eachHeader(L *glua.LState) int {
	v := self[headerView](L, "h").of
	patterns := []string{"*"}
	if L.Get(2) != glua.LNil {
		patterns = wantPatterns(L, []string{wantText(L, L.Get(2))})
	}
	var all []message.Header
	for _, h := range v.read(L).Headers {
		if matches(patterns, h.Name) {
			all = append(all, h)
		}
	}
	i := 0
	L.Push(closure(L, func(L *glua.LState) int {
		if i == len(all) {
			L.Push(glua.LNil)
			return 1
		}
		i++
		L.Push(glua.LString(all[i-1].Name))
		L.Push(glua.LString(all[i-1].Value))
		return 2
	}))
	return 1
}

// headerAddr is h:addr(name): the field's first address, or nil.
func headerAddr(L *glua.LState) int {
	v, name := self[headerView](L, "h").of, wantText(L, L.Get(2))
	if !message.IsToken(name) {
		lua.RaiseAt(L, "%q is not a header name", name)
	}
	L.Push(addrOf(L, v, name))
	return 1
}
