package script

import (
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// decision is what b2b.route and its kin return: nothing happens until the
// hook has returned it.
type decision struct {
	b2bua.Decision
	name  string // b2b.route
	where string // main.lua:12
}

func decisionDef() lua.ClassDef[*decision] {
	return lua.ClassDef[*decision]{Meta: toString(func(d *decision) string { return d.name })}
}

// decisions are the constructors of contract/lua-api.md section 4.
func (m *machine) decisions() map[string]glua.LGFunction {
	make := func(name string, of func(*glua.LState) b2bua.Decision) glua.LGFunction {
		return func(L *glua.LState) int {
			d := &decision{Decision: of(L), name: "b2b." + name, where: whereOf(L)}
			L.Push(m.classes.decision.New(L, d))
			return 1
		}
	}
	return map[string]glua.LGFunction{
		"route":     make("route", m.route),
		"reject":    make("reject", reject),
		"redirect":  make("redirect", redirect),
		"drop":      make("drop", func(*glua.LState) b2bua.Decision { return b2bua.Drop{} }),
		"reply":     make("reply", reply),
		"next":      make("next", m.next),
		"fail":      make("fail", fail),
		"skip":      make("skip", func(*glua.LState) b2bua.Decision { return b2bua.Skip{} }),
		"suppress":  make("suppress", func(*glua.LState) b2bua.Decision { return b2bua.Suppress{} }),
		"hangup":    make("hangup", hangUp),
		"challenge": make("challenge", m.challenge),
		"accept":    make("accept", accept),
		"pass":      make("pass", func(*glua.LState) b2bua.Decision { return b2bua.Pass{} }),
		"transfer":  make("transfer", m.transfer),
	}
}

func whereOf(L *glua.LState) string {
	file, line := lua.Where(L)
	if file == "" {
		return ""
	}
	return file + ":" + strconv.Itoa(line)
}

// allowed is the column "may return" of contract/lua-api.md section 2.
func allowed(hook b2bua.Hook, d b2bua.Decision) bool {
	switch d.(type) {
	case b2bua.Route:
		return hook == b2bua.HookInvite || hook == b2bua.HookFailure || hook == b2bua.HookOutside
	case b2bua.Reject:
		return hook == b2bua.HookInvite || hook == b2bua.HookFailure || hook == b2bua.HookRefer || hook == b2bua.HookOutside
	case challenge:
		return hook == b2bua.HookInvite || hook == b2bua.HookOutside
	case b2bua.Redirect, b2bua.Drop:
		return hook == b2bua.HookInvite
	case b2bua.Next, b2bua.Fail:
		return hook == b2bua.HookFailure
	case b2bua.Skip:
		return hook == b2bua.HookBranch
	case b2bua.Suppress:
		return hook == b2bua.HookProgress
	case b2bua.HangUp:
		return hook == b2bua.HookAnswer
	case b2bua.Reply:
		return hook == b2bua.HookRequest || hook == b2bua.HookOutside
	case b2bua.Pass, b2bua.Transfer:
		return hook == b2bua.HookRefer
	case b2bua.Accept:
		return hook == b2bua.HookOutside
	}
	return false
}

// mayReturn says it in an error.
func mayReturn(hook b2bua.Hook) string {
	switch hook {
	case b2bua.HookInvite:
		return "nil, b2b.route, b2b.reject, b2b.redirect, b2b.challenge or b2b.drop"
	case b2bua.HookBranch:
		return "nil or b2b.skip()"
	case b2bua.HookProgress:
		return "nil or b2b.suppress()"
	case b2bua.HookAnswer:
		return "nil or b2b.hangup(code)"
	case b2bua.HookFailure:
		return "nil, b2b.next, b2b.route, b2b.fail or b2b.reject"
	case b2bua.HookRequest:
		return "nil or b2b.reply(code)"
	case b2bua.HookRefer:
		return "nil, b2b.pass(), b2b.transfer{to = ...} or b2b.reject"
	case b2bua.HookOutside:
		return "nil, b2b.route, b2b.reply, b2b.reject, b2b.challenge or, for a REGISTER, b2b.accept"
	}
	return "nothing"
}

// decide reads what a hook returned.
func (m *machine) decide(L *glua.LState, q *question, fn *glua.LFunction, v glua.LValue) (b2bua.Decided, error) {
	if v == glua.LNil {
		return b2bua.Decided{}, nil
	}
	d, ok := m.classes.decision.Is(v)
	switch {
	case !ok || !allowed(q.hook, d.Decision):
		return b2bua.Decided{}, misplaced(fn, d, q.name+" returned "+kindOf(v)+"; it may return "+mayReturn(q.hook))
	case d.name == "b2b.accept" && q.view.Request.Method != "REGISTER":
		return b2bua.Decided{}, misplaced(fn, d, "b2b.accept stores a REGISTER; this is a request with the method "+q.view.Request.Method)
	}
	said := b2bua.Decided{Decision: d.Decision, Where: d.where}
	if ch, ok := d.Decision.(challenge); ok {
		var err error
		if said.Decision, err = ch.take(L, m, q.view.Request); err != nil {
			return b2bua.Decided{}, err
		}
	}
	return said, nil
}

// misplaced blames the line that made the decision, or else the hook's first.
func misplaced(fn *glua.LFunction, d *decision, msg string) error {
	e := &lua.Error{File: fn.Proto.SourceName, Line: fn.Proto.LineDefined, Msg: msg}
	if d != nil {
		e.File, e.Line = splitWhere(d.where, e.File, e.Line)
	}
	return e
}

// splitWhere reads "main.lua:12", or gives what it was given.
func splitWhere(where, file string, line int) (string, int) {
	if i := strings.LastIndexByte(where, ':'); i > 0 {
		if n, err := strconv.Atoi(where[i+1:]); err == nil {
			return where[:i], n
		}
	}
	return file, line
}

// reject is b2b.reject(code[, text[, headers]]).
func reject(L *glua.LState) b2bua.Decision {
	const what = "b2b.reject"
	code := wantCode(L, what, 400, 699, "; for 3xx there is b2b.redirect")
	return b2bua.Reject{Code: code, Reason: wantReason(L, what), Headers: wantHeaders(L, L.Get(3), what+": headers")}
}

// reply is b2b.reply(code[, text[, headers[, body]]]).
func reply(L *glua.LState) b2bua.Decision {
	const what = "b2b.reply"
	r := b2bua.Reply{Code: wantCode(L, what, 200, 699, ""), Reason: wantReason(L, what), Headers: wantHeaders(L, L.Get(3), what+": headers")}
	if body := L.Get(4); body != glua.LNil {
		r.Body = []byte(wantText(L, body))
		if len(r.Body) > maxBody {
			lua.RaiseAt(L, "body: longer than %d bytes", maxBody)
		}
	}
	return r
}

// hangUp is b2b.hangup(code[, text]).
func hangUp(L *glua.LState) b2bua.Decision {
	const what = "b2b.hangup"
	return b2bua.HangUp{Code: wantCode(L, what, 400, 699, ""), Reason: wantReason(L, what)}
}

// fail is b2b.fail(res).
func fail(L *glua.LState) b2bua.Decision {
	if v := L.Get(1); v != glua.LNil {
		ud, _ := v.(*glua.LUserData)
		if ud == nil {
			lua.RaiseAt(L, "b2b.fail: want the failure that the hook was given, got %s", kindOf(v))
		}
		if res, ok := ud.Value.(*messageView); !ok || res.read(L).IsRequest() {
			lua.RaiseAt(L, "b2b.fail: want the failure that the hook was given, got %s", kindOf(v))
		}
	}
	return b2bua.Fail{}
}

// redirect is b2b.redirect{contact = ... or {...}, code = 302}.
func redirect(L *glua.LState) b2bua.Decision {
	f := wantForm(L, "b2b.redirect")
	f.only("contact", "code")
	r := b2bua.Redirect{Code: f.integer("code", 300, 399)}
	if r.Code == 0 {
		r.Code = 302
	}
	for _, c := range f.names("contact") {
		c = bracketed(c)
		if err := checkText("contact", c); err != nil {
			f.fail("%s", err.Error())
		}
		if a, err := message.ParseAddr(c); err != nil || a.URI == "" {
			f.fail("contact %q is neither a URI nor an address", c)
		}
		r.Contacts = append(r.Contacts, c)
	}
	if len(r.Contacts) == 0 {
		f.fail("contact is missing")
	}
	return r
}

// bracketed is a contact whose URI keeps its parameters: without brackets they
// would be the header's (RFC 3261 section 20.10), as q and expires are.
func bracketed(contact string) string {
	if strings.ContainsRune(contact, '<') || !strings.ContainsAny(contact, ";,?") {
		return contact
	}
	u, err := message.ParseURI(contact)
	if err != nil {
		return contact
	}
	addr := message.Addr{}
	for _, p := range u.Params {
		if strings.EqualFold(p.Name, "q") || strings.EqualFold(p.Name, "expires") {
			addr.Params = append(addr.Params, p)
		}
	}
	for _, p := range addr.Params {
		u.Params.Del(p.Name)
	}
	addr.URI = u.String()
	return addr.String()
}

// accept is b2b.accept([{expires=}]).
func accept(L *glua.LState) b2bua.Decision {
	if L.Get(1) == glua.LNil {
		return b2bua.Accept{}
	}
	f := wantForm(L, "b2b.accept")
	f.only("expires")
	return b2bua.Accept{Expires: f.seconds("expires")}
}

// transfer is b2b.transfer([{to=}]).
func (m *machine) transfer(L *glua.LState) b2bua.Decision {
	if L.Get(1) == glua.LNil {
		return b2bua.Transfer{}
	}
	f := wantForm(L, "b2b.transfer")
	f.only("to")
	if f.get("to") == glua.LNil {
		f.fail("to is missing; b2b.transfer() goes where the REFER says")
	}
	return b2bua.Transfer{Targets: m.targets(L, f.get("to"), "b2b.transfer: to")}
}

func wantForm(L *glua.LState, what string) form {
	t, ok := L.Get(1).(*glua.LTable)
	if !ok {
		lua.RaiseAt(L, "%s: want a table, got %s", what, kindOf(L.Get(1)))
	}
	return form{L, t, what}
}

// wantCode reads the first argument of a decision, its status code.
func wantCode(L *glua.LState, what string, low, high int, cure string) int {
	code, ok := lua.ToNumber(L.Get(1))
	if !ok || code != math.Trunc(code) {
		lua.RaiseAt(L, "%s: want a whole number, got %s; a code is %d to %d", what, kindOf(L.Get(1)), low, high)
	}
	if code < float64(low) || code > float64(high) {
		lua.RaiseAt(L, "%s: code %s is not %d to %d%s", what, plain(code), low, high, cure)
	}
	return int(code)
}

// wantReason reads the second, its text.
func wantReason(L *glua.LState, what string) string {
	if L.Get(2) == glua.LNil {
		return ""
	}
	s, ok := textOf(L.Get(2))
	if !ok {
		lua.RaiseAt(L, "%s: the text is %s; want (code, text, headers), with nil for the usual text", what, kindOf(L.Get(2)))
	}
	must(L, checkText(what+": text", s))
	return s
}

// wantHeaders reads {["X-A"] = "v", ["X-B"] = {"v1", "v2"}}; nil is none.
func wantHeaders(L *glua.LState, v glua.LValue, what string) []message.Header {
	if v == glua.LNil {
		return nil
	}
	t, ok := v.(*glua.LTable)
	if !ok {
		lua.RaiseAt(L, "%s: want a table of names and values, got %s", what, kindOf(v))
	}
	var all []message.Header
	t.ForEach(func(k, v glua.LValue) {
		name, ok := k.(glua.LString)
		if !ok {
			lua.RaiseAt(L, `%s: want {["Name"] = "value"}, got a list`, what)
		}
		must(L, mayEdit(string(name)))
		if tagged(string(name)) {
			lua.RaiseAt(L, "%s: %s belongs to the engine here; edit it in a hook", what, string(name))
		}
		for _, value := range wantValues(L, v) {
			must(L, checkText(string(name), value))
			all = append(all, message.Header{Name: message.LongName(string(name)), Value: value})
		}
	})
	if len(all) > maxHeaders {
		lua.RaiseAt(L, "%s: more than %d", what, maxHeaders)
	}
	return all
}
