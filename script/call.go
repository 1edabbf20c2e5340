package script

import (
	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// callView is a call as its scripts see it: what it knows is as new as the last
// hook. A call has one, and the next when it has to move to another machine. It
// belongs to the lock of its machine's VM.
type callView struct {
	r     *router
	m     *machine
	now   b2bua.View
	obj   *glua.LUserData
	req   *glua.LUserData
	shown *message.Message // by req
	data  *glua.LTable     // call.data, made when it is first asked for
	legs  []*glua.LTable   // the ctx of message profiles, by leg

	outside bool // it is a request outside any dialog: scripts see a txn
}

// kind is what scripts call it.
func (v *callView) kind() string {
	if v.outside {
		return "txn"
	}
	return "call"
}

func (v *callView) id() string { return v.now.ID }

// fields is call.data.
func (v *callView) fields(L *glua.LState) *glua.LTable {
	if v.data == nil {
		v.data = L.NewTable()
		v.r.hasData.Store(true)
	}
	return v.data
}

// alive refuses a call that a script has kept past its end.
func (v *callView) alive(L *glua.LState) {
	if v.r.closed.Load() {
		lua.RaiseAt(L, "this %s is over", v.kind())
	}
}

func callDef() lua.ClassDef[*callView] {
	return lua.ClassDef[*callView]{
		Get: map[string]getter[*callView]{
			"id":     func(_ *glua.LState, v *callView) glua.LValue { return glua.LString(v.id()) },
			"req":    getRequest,
			"params": func(L *glua.LState, v *callView) glua.LValue { return v.m.classes.values.New(L, valuesView{v}) },
			"source": func(L *glua.LState, v *callView) glua.LValue { return v.m.classes.source.New(L, &v.now.Source) },
			"data":   func(L *glua.LState, v *callView) glua.LValue { return v.fields(L) },
			"a": func(L *glua.LState, v *callView) glua.LValue {
				return v.m.classes.leg.New(L, legView{v.m, v.now.A})
			},
			"legs":    getLegs,
			"attempt": func(_ *glua.LState, v *callView) glua.LValue { return glua.LNumber(v.now.Attempt) },
			"elapsed": func(L *glua.LState, v *callView) glua.LValue {
				return glua.LNumber(max(0, v.m.gen.cfg.Lib.Now(v.id(), memoOf(L)).Sub(v.now.Started).Seconds()))
			},
			"script": func(_ *glua.LState, v *callView) glua.LValue { return glua.LString(v.r.gen.name) },
		},
		Set: map[string]setter[*callView]{
			"data": func(L *glua.LState, v *callView, value glua.LValue) {
				t, ok := value.(*glua.LTable)
				if !ok {
					lua.RaiseAt(L, "%s.data is a table, not %s", v.kind(), kindOf(value))
				}
				v.data = t
				v.r.hasData.Store(true)
			},
		},
		Methods: map[string]glua.LGFunction{"note": noteCall, "hangup": hangUpCall},
		Meta:    toString(func(v *callView) string { return "call " + v.id() }),
	}
}

// getRequest is the caller's INVITE, which nobody edits: what goes out is
// another message.
func getRequest(L *glua.LState, v *callView) glua.LValue {
	if v.now.Request == nil {
		lua.RaiseAt(L, "%s.req belonged to a hook that is over; keep what you need of it in %s.data", v.kind(), v.kind())
	}
	if v.req == nil || v.shown != v.now.Request { // a transfer asks about another INVITE
		v.shown = v.now.Request
		view, object := v.m.message(L, v.now.Request)
		view.from(v.now.Source)
		view.readOnly = "call.req is the caller's INVITE as it came; edit the one that goes out in on_branch"
		if v.outside {
			view.readOnly = "txn.req is the request as it came; what goes out is changed by headers of b2b.route"
		}
		v.req = object
	}
	return v.req
}

func getLegs(L *glua.LState, v *callView) glua.LValue {
	lua.Charge(L, 64*len(v.now.Legs))
	list := L.NewTable()
	for _, leg := range v.now.Legs {
		list.Append(v.m.classes.leg.New(L, legView{v.m, leg}))
	}
	return list
}

// maxNote bounds a line of call:note.
const maxNote = 1000

// noteCall is call:note(fmt, ...).
func noteCall(L *glua.LState) int {
	v := self[*callView](L, "call")
	v.alive(L)
	where, n := whereOf(L), L.GetTop()
	line := wantText(L, L.Get(2))
	if n > 2 {
		L.Push(L.GetField(glua.LString(""), "format"))
		for i := 2; i <= n; i++ {
			L.Push(L.Get(i))
		}
		L.Call(n-1, 1)
		line = L.Get(-1).String()
	}
	v.r.handle.Note(oneLine(line), where)
	return 0
}

// oneLine keeps a note from looking like several.
func oneLine(s string) string {
	if len(s) > maxNote {
		s = s[:maxNote] + "..."
	}
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// hangUpCall is call:hangup([code]); code is for a caller without an answer.
func hangUpCall(L *glua.LState) int {
	v := self[*callView](L, "call")
	v.alive(L)
	if v.outside {
		lua.RaiseAt(L, "a txn can't be hung up")
	}
	code := 480
	if L.Get(2) != glua.LNil {
		if code = wantInt(L, L.Get(2)); code < 400 || code > 699 {
			lua.RaiseAt(L, "code %d is not 400 to 699", code)
		}
	}
	v.r.handle.HangUp(code)
	return 0
}

func sourceDef() lua.ClassDef[*b2bua.Source] {
	return lua.ClassDef[*b2bua.Source]{
		Get: map[string]getter[*b2bua.Source]{
			"ip":        func(_ *glua.LState, s *b2bua.Source) glua.LValue { return text(s.IP) },
			"port":      func(_ *glua.LState, s *b2bua.Source) glua.LValue { return number(s.Port) },
			"transport": func(_ *glua.LState, s *b2bua.Source) glua.LValue { return text(s.Transport) },
			"trunk":     func(_ *glua.LState, s *b2bua.Source) glua.LValue { return text(s.Trunk) },
			"account":   func(_ *glua.LState, s *b2bua.Source) glua.LValue { return text(s.Account) },
			"tls_name":  func(_ *glua.LState, s *b2bua.Source) glua.LValue { return text(s.TLSName) },
		},
	}
}

// valuesView is call.params: what M.params declares, with the values of the
// trunk that the call came from.
type valuesView struct{ of *callView }

func valuesDef() lua.ClassDef[valuesView] {
	return lua.ClassDef[valuesView]{
		Index: func(L *glua.LState, v valuesView, key glua.LValue) glua.LValue {
			gen, name := v.of.m.gen, key.String()
			if _, ok := gen.params[name]; !ok {
				lua.RaiseAt(L, "%s.params.%s is not declared in M.params%s", v.of.kind(), name, meant(name, gen.params.names()))
			}
			return lua.FromGo(L, gen.value(v.of.now.Source.Trunk, name))
		},
		NewIndex: func(L *glua.LState, v valuesView, _, _ glua.LValue) bool {
			kind := v.of.kind()
			lua.RaiseAt(L, "%s.params can't be written; keep what belongs to the %s in %s.data", kind, kind, kind)
			return true
		},
	}
}
