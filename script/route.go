package script

import (
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
	"legwork/script/lua"
)

// routeKeys, targetKeys and the rest are the tables of contract/lua-api.md
// section 4; later are those that this version does not have.
func routeKeys() (known, later []string) {
	return []string{"to", "strategy", "try", "ring", "budget", "retry", "headers", "callid", "max_duration"},
		[]string{"prack", "refer", "redirect", "timer", "early", "media"}
}

func targetKeys() (known, later []string) {
	return []string{"uri", "trunk", "user", "host", "weight", "backup", "headers", "ring", "try", "cdr"},
		[]string{"auth"}
}

// maxTargets bounds one route.
const maxTargets = 100

// route is b2b.route(target) or b2b.route{to = ...}.
func (m *machine) route(L *glua.LState) b2bua.Decision {
	t, ok := L.Get(1).(*glua.LTable)
	if !ok || t.RawGetString("to") == glua.LNil && (t.RawGetString("uri") != glua.LNil || t.RawGetString("trunk") != glua.LNil) {
		return b2bua.Route{Targets: m.targets(L, L.Get(1), "b2b.route")}
	}
	f := form{L, t, "b2b.route"}
	f.except(routeKeys())
	if f.get("to") == glua.LNil {
		f.fail("to is missing")
	}
	r := b2bua.Route{
		Targets: m.targets(L, f.get("to"), "b2b.route: to"),
		Try:     f.seconds("try"), Ring: f.seconds("ring"), Budget: f.seconds("budget"), MaxDuration: f.seconds("max_duration"),
		Retry:      retryOf(f),
		Headers:    headersOf(f),
		KeepCallID: f.choice("callid", []string{"new", "keep"}, nil) == "keep",
	}
	if s, ok := f.get("strategy").(*glua.LTable); ok {
		f.fail("strategy: nested lists (%d) are not supported yet by this version", s.Len())
	}
	if f.choice("strategy", []string{"serial", "weighted"}, []string{"parallel", "hash", "least_loaded"}) == "weighted" {
		r.Strategy = b2bua.Weighted
	}
	return r
}

// targets reads one target or a list of them.
func (m *machine) targets(L *glua.LState, v glua.LValue, what string) []b2bua.Target {
	t, ok := v.(*glua.LTable)
	if !ok || t.RawGetString("uri") != glua.LNil || t.RawGetString("trunk") != glua.LNil {
		return []b2bua.Target{m.target(L, v, what)}
	}
	n := t.Len()
	if n == 0 {
		form{L, t, what}.except(targetKeys())
		lua.RaiseAt(L, "%s: no target; want a SIP URI, {uri = ...}, {trunk = ...} or a list of them", what)
	}
	if n > maxTargets {
		lua.RaiseAt(L, "%s: %d targets, at most %d", what, n, maxTargets)
	}
	targets := make([]b2bua.Target, 0, n)
	for i := 1; i <= n; i++ {
		one := t.RawGetInt(i)
		if list, ok := one.(*glua.LTable); ok && list.Len() > 0 {
			lua.RaiseAt(L, "%s: a list in a list (parallel targets) is not supported yet by this version", what)
		}
		targets = append(targets, m.target(L, one, what))
	}
	return targets
}

func (m *machine) target(L *glua.LState, v glua.LValue, what string) b2bua.Target {
	t, ok := v.(*glua.LTable)
	if !ok {
		uri := wantText(L, v)
		if a, ok := addrText(v); ok {
			uri = a
		}
		checkTarget(L, what, uri)
		return b2bua.Target{URI: uri}
	}
	f := form{L, t, what}
	f.except(targetKeys())
	target := b2bua.Target{
		URI: f.text("uri"), Trunk: f.text("trunk"), User: f.text("user"), Host: f.text("host"),
		Weight: f.integer("weight", 0, 65535), Backup: f.boolean("backup"), Ring: f.seconds("ring"), Try: f.seconds("try"),
		Headers: wantHeaders(L, f.get("headers"), what+": headers"), CDR: fieldsOf(f, "cdr"),
	}
	if target.Weight == 0 && f.get("weight") != glua.LNil {
		target.Backup = true // never drawn before one that weighs something
	}
	switch {
	case target.URI == "" && target.Trunk == "":
		f.fail("a target needs uri or trunk")
	case target.URI != "":
		if a, ok := addrText(f.get("uri")); ok {
			target.URI = a
		}
		checkTarget(L, what, target.URI)
	}
	if target.Trunk != "" {
		m.checkTrunk(L, what, target.Trunk)
	}
	target.User = escape(target.User, userExtra)
	if target.Host != "" {
		checkTarget(L, what+": host", "sip:"+target.Host)
	}
	return target
}

// addrText is the URI of an address object.
func addrText(v glua.LValue) (string, bool) {
	ud, ok := v.(*glua.LUserData)
	if !ok {
		return "", false
	}
	a, ok := ud.Value.(*addrView)
	if !ok {
		return "", false
	}
	return message.URIOf(a.String()), true
}

func checkTarget(L *glua.LState, what, uri string) {
	if u, err := message.ParseURI(uri); err != nil || !u.IsSIP() {
		lua.RaiseAt(L, "%s: %q is not a SIP URI; a trunk is written {trunk = %q}", what, uri, uri)
	}
	if err := checkURI(uri); err != nil {
		lua.RaiseAt(L, "%s: %s", what, err.Error())
	}
}

func (m *machine) checkTrunk(L *glua.LState, what, name string) {
	if table := m.gen.cfg.Trunks(); table.Get(name) == nil {
		lua.RaiseAt(L, "%s: unknown trunk %q%s", what, name, meant(name, table.Names()))
	}
}

// fieldsOf reads a table of plain values as text.
func fieldsOf(f form, key string) map[string]string {
	v := f.get(key)
	if v == glua.LNil {
		return nil
	}
	t, ok := v.(*glua.LTable)
	if !ok {
		f.fail("%s is %s; want a table", key, kindOf(v))
	}
	fields := map[string]string{}
	t.ForEach(func(k, v glua.LValue) {
		name, ok := k.(glua.LString)
		if b, isBool := v.(glua.LBool); isBool {
			v = glua.LString(b.String())
		}
		value, isText := textOf(v)
		if !ok || !isText || len(fields) >= 100 || len(value) > maxValue {
			f.fail("%s: want at most 100 names with strings or numbers", key)
		}
		fields[string(name)] = value
	})
	return fields
}

// retryOf reads {503, "5xx", "timeout"}.
func retryOf(f form) *b2bua.Retry {
	if f.get("retry") == glua.LNil {
		return nil
	}
	r := &b2bua.Retry{Codes: map[int]bool{}, Origins: map[b2bua.Origin]bool{}}
	origins := []string{"timeout", "transport", "dns"}
	for _, one := range f.names("retry") {
		switch {
		case slices.Contains(origins, one):
			r.Origins[b2bua.Origin(one)] = true
		case len(one) == 3 && one[0] >= '3' && one[0] <= '6' && strings.EqualFold(one[1:], "xx"):
			r.Codes[int(one[0]-'0')] = true
		case len(one) == 3 && one[0] >= '3' && one[0] <= '6' && digit(one[1]) && digit(one[2]):
			r.Codes[int(one[0]-'0')*100+int(one[1]-'0')*10+int(one[2]-'0')] = true
		default:
			f.fail("retry: %q is not a code from 300 to 699, a class such as \"5xx\" or one of %v", one, origins)
		}
	}
	return r
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// headersOf reads {preset=, pass={...}, set={...}, drop={...}}.
func headersOf(f form) trunk.Headers {
	v := f.get("headers")
	if v == glua.LNil {
		return trunk.Headers{}
	}
	t, ok := v.(*glua.LTable)
	if !ok {
		f.fail("headers is %s; want {preset=, pass={...}, set={...}, drop={...}}", kindOf(v))
	}
	h := form{f.L, t, f.what + ": headers"}
	h.only("preset", "pass", "set", "drop")
	preset, _ := trunk.ParsePreset(h.choice("preset", []string{"edge", "transparent", "none"}, nil))
	rule := trunk.Headers{
		Preset: preset, Pass: h.names("pass"), Drop: h.names("drop"),
		Set: wantHeaders(f.L, h.get("set"), h.what+": set"),
	}
	if err := rule.Check(); err != nil {
		f.fail("%s", err.Error())
	}
	return rule
}

// next is b2b.next([{to=, copy={"Identity"}}]): copy takes headers of the
// failure that the hook was given along to the new targets.
func (m *machine) next(L *glua.LState) b2bua.Decision {
	if L.Get(1) == glua.LNil {
		return b2bua.Next{}
	}
	f := wantForm(L, "b2b.next")
	f.only("to", "copy")
	n := b2bua.Next{}
	if f.get("to") != glua.LNil {
		n.Targets = m.targets(L, f.get("to"), "b2b.next: to")
	}
	names := f.names("copy")
	if len(names) == 0 {
		return n
	}
	a := askingOf(L)
	if n.Targets == nil || a == nil || a.msg == nil || a.msg.read(L).IsRequest() {
		f.fail("copy takes headers of a failure to the targets in to: it needs both")
	}
	for _, name := range names {
		must(L, mayEdit(name))
		for _, value := range a.msg.msg.All(name) {
			for i := range n.Targets {
				n.Targets[i].Headers = append(n.Targets[i].Headers, message.Header{Name: message.LongName(name), Value: value})
			}
		}
	}
	return n
}
