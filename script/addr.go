package script

import (
	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// addrView is an address: of a header field, which edits are written through
// to, or one that stands for itself.
type addrView struct {
	m     *machine
	field *messageView // nil: it stands for itself
	name  string       // of the field
	fixed string       // why edits are refused
	text  string       // what was parsed last
	addr  message.Addr
	bad   bool // text is not an address
}

// read parses the text again when the field has changed.
func (v *addrView) read(L *glua.LState) *message.Addr {
	if v.field == nil {
		return &v.addr
	}
	first := firstOf(v.field.read(L), v.name)
	if first != v.text || v.text == "" {
		a, err := message.ParseAddr(first)
		v.text, v.addr, v.bad = first, a, err != nil
	}
	if v.bad {
		lua.RaiseAt(L, "%s is no longer an address", v.name)
	}
	return &v.addr
}

func (v *addrView) edit(L *glua.LState, change func(a *message.Addr)) {
	if v.fixed != "" {
		lua.RaiseAt(L, "%s", v.fixed)
	}
	a := *v.read(L)
	a.Params = append(message.Params(nil), a.Params...)
	change(&a)
	s := a.String()
	must(L, checkText("address", s))
	if _, err := message.ParseAddr(s); err != nil {
		lua.RaiseAt(L, "%q is not an address", s)
	}
	if v.field == nil {
		v.addr = a
		return
	}
	must(L, setFirst(v.field.edit(L), v.name, s))
	v.field.wrote(L, b2bua.OpSet, v.name, s)
}

// firstOf is the first member of a field that may be a comma-separated list.
func firstOf(msg *message.Message, name string) string {
	if tagged(name) {
		return msg.Get(name)
	}
	if list := msg.List(name); len(list) > 0 {
		return list[0]
	}
	return ""
}

// setFirst replaces that member and leaves the others.
func setFirst(msg *message.Message, name, value string) error {
	all := msg.List(name)
	if tagged(name) || len(all) == 0 {
		return setHeader(msg, name, value)
	}
	all[0] = value
	return setHeader(msg, name, all...)
}

// getAddr gives nil when there is no such address ("Contact: *" has none).
func getAddr(name string) getter[*messageView] {
	return func(L *glua.LState, v *messageView) glua.LValue {
		return addrOf(L, v, name)
	}
}

func addrOf(L *glua.LState, field *messageView, name string) glua.LValue {
	first := firstOf(field.read(L), name)
	if first == "" {
		return glua.LNil
	}
	a, err := message.ParseAddr(first)
	if err != nil {
		return glua.LNil
	}
	v := &addrView{m: field.m, field: field, name: name, text: first, addr: a}
	if engineOwned(name) {
		v.fixed = name + " belongs to the engine: each leg has its own"
	}
	return field.m.classes.addr.New(L, v)
}

// getList lists the addresses of a field; they are copies.
func getList(name string) getter[*messageView] {
	return func(L *glua.LState, v *messageView) glua.LValue {
		list := L.NewTable()
		for _, one := range v.read(L).List(name) {
			if a, err := message.ParseAddr(one); err == nil {
				list.Append(v.m.classes.addr.New(L, &addrView{
					m: v.m, addr: a, fixed: "an address of a list can't be edited in place; write the header itself",
				}))
			}
		}
		return list
	}
}

// getIdentity is who calls: P-Asserted-Identity (RFC 3325), else
// Remote-Party-ID, else From; from who is not trusted, From.
func getIdentity(L *glua.LState, v *messageView) glua.LValue {
	for _, name := range [...]string{"P-Asserted-Identity", "Remote-Party-ID"} {
		if v.doubted {
			break
		}
		if a := addrOf(L, v, name); a != glua.LNil {
			return a
		}
	}
	return addrOf(L, v, "From")
}

func (m *machine) addrDef() lua.ClassDef[*addrView] {
	return lua.ClassDef[*addrView]{
		Get: map[string]getter[*addrView]{
			"display": func(L *glua.LState, v *addrView) glua.LValue { return text(v.read(L).Display) },
			"uri": func(L *glua.LState, v *addrView) glua.LValue {
				v.read(L)
				return m.classes.uri.New(L, &uriView{m: m, addr: v})
			},
			"params": func(L *glua.LState, v *addrView) glua.LValue {
				v.read(L)
				return m.classes.params.New(L, &paramsView{addr: v})
			},
			"tag": func(L *glua.LState, v *addrView) glua.LValue {
				tag, _ := v.read(L).Params.Get("tag")
				return text(tag)
			},
		},
		Set: map[string]setter[*addrView]{
			"display": func(L *glua.LState, v *addrView, value glua.LValue) {
				display := ""
				if value != glua.LNil {
					display = wantText(L, value)
				}
				v.edit(L, func(a *message.Addr) { a.Display = display })
			},
			"uri": func(L *glua.LState, v *addrView, value glua.LValue) {
				uri := wantText(L, value)
				v.edit(L, func(a *message.Addr) { a.URI = uri })
			},
		},
		Methods: map[string]glua.LGFunction{"anonymize": anonymize},
		Meta:    toString((*addrView).String),
	}
}

// String is the address as it stands; of a message that is gone, as it stood.
func (v *addrView) String() string {
	if v.field == nil {
		return v.addr.String()
	}
	if v.field.msg != nil {
		return firstOf(v.field.msg, v.name)
	}
	return v.text
}

// untagged is what is written elsewhere: the tag of From and To stays where it
// belongs.
func (v *addrView) untagged() string {
	if v.field == nil || !tagged(v.name) {
		return v.String()
	}
	return message.WithTag(v.String(), "")
}

// anonymize is RFC 3323 section 4.1: nothing that names the caller, but for
// the tag, which the dialog needs.
func anonymize(L *glua.LState) int {
	v := self[*addrView](L, "addr")
	v.edit(L, func(a *message.Addr) {
		tag, tagged := a.Params.Get("tag")
		*a = message.Addr{Display: "Anonymous", URI: "sip:anonymous@anonymous.invalid"}
		if tagged {
			a.Params.Set("tag", tag)
		}
	})
	return 0
}

// newAddr is b2b.addr{display=, uri=} or b2b.addr("Alice <sip:a@b>").
func (m *machine) newAddr(L *glua.LState) int {
	v := &addrView{m: m}
	if t, ok := L.Get(1).(*glua.LTable); ok {
		f := form{L, t, "b2b.addr"}
		f.only("display", "uri")
		v.addr.Display = f.text("display")
		v.addr.URI = wantText(L, t.RawGetString("uri"))
		must(L, checkText("address", v.addr.String()))
	} else {
		a, err := message.ParseAddr(wantText(L, L.Get(1)))
		must(L, err)
		v.addr = a
	}
	if _, err := message.ParseAddr(v.addr.String()); err != nil {
		lua.RaiseAt(L, "b2b.addr: %q is not an address", v.addr.String())
	}
	L.Push(m.classes.addr.New(L, v))
	return 1
}
