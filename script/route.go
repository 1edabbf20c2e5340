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

// routeKeys and targetKeys are the tables of contract/lua-api.md section 4.
func routeKeys() []string {
	return []string{
		"to", "strategy", "key", "try", "ring", "budget", "retry", "headers", "callid", "prack", "refer", "redirect", "timer",
		"early", "media", "max_duration",
	}
}

func targetKeys() []string {
	return []string{"uri", "trunk", "aor", "user", "host", "weight", "backup", "headers", "auth", "ring", "try", "cdr"}
}

// Words that keys of a route take.
const (
	strategyWords = "serial parallel weighted hash least_loaded"
	callIDWords   = "new keep"
	presetWords   = "edge transparent none"
	prackWords    = "interwork pass off"
	referWords    = "pass local reject"
	redirectWords = "follow pass"
	earlyWords    = "pass first suppress"
)

// maxTargets bounds one route.
const maxTargets = 100

// route is b2b.route(target) or b2b.route{to = ...}.
func (m *machine) route(L *glua.LState) b2bua.Decision {
	t, ok := L.Get(1).(*glua.LTable)
	if !ok || t.RawGetString("to") == glua.LNil && isTarget(t) {
		return b2bua.Route{Targets: m.targets(L, L.Get(1), "b2b.route")}
	}
	f := form{L, t, "b2b.route"}
	f.only(routeKeys()...)
	if f.get("to") == glua.LNil {
		f.fail("to is missing")
	}
	r := b2bua.Route{
		Targets: m.targets(L, f.get("to"), "b2b.route: to"),
		Try:     f.seconds("try"), Ring: f.seconds("ring"), Budget: f.seconds("budget"), MaxDuration: f.seconds("max_duration"),
		Retry:      retryOf(f),
		Headers:    headersOf(f),
		KeepCallID: f.choice("callid", callIDWords, "") == "keep",
		Key:        f.text("key"),
	}
	r.Strategy = strategyOf(f, r.Targets)
	signallingOf(f, &r)
	return r
}

// strategyOf reads the order of the targets. Only a list that is tried in its
// order has a use for lists in it.
func strategyOf(f form, targets []b2bua.Target) b2bua.Strategy {
	if _, ok := f.get("strategy").(*glua.LTable); ok {
		f.fail(`strategy is a word; to try targets together, put a list into the list: to = {{"sip:a@...", "sip:b@..."}, "sip:c@..."}`)
	}
	strategy := b2bua.Serial
	switch f.choice("strategy", strategyWords, "") {
	case "parallel":
		strategy = b2bua.Parallel
	case "weighted":
		strategy = b2bua.Weighted
	case "hash":
		strategy = b2bua.Hash
	case "least_loaded":
		strategy = b2bua.LeastLoaded
	}
	if strategy != b2bua.Hash && f.get("key") != glua.LNil {
		f.fail(`key is of strategy = "hash"`)
	}
	if strategy != b2bua.Serial && slices.ContainsFunc(targets, func(t b2bua.Target) bool { return t.Beside }) {
		f.fail("strategy = %q has no use for a list in the list of to", f.text("strategy"))
	}
	return strategy
}

// targets reads one target or a list of them, in which a list stands for
// targets that are tried together.
func (m *machine) targets(L *glua.LState, v glua.LValue, what string) []b2bua.Target {
	t, ok := v.(*glua.LTable)
	if !ok || isTarget(t) {
		return []b2bua.Target{m.target(L, v, what)}
	}
	var targets []b2bua.Target
	checkTargets(L, t, what)
	for i := 1; i <= t.Len(); i++ {
		list, ok := t.RawGetInt(i).(*glua.LTable)
		if !ok || isTarget(list) || list.Len() == 0 {
			targets = append(targets, m.target(L, t.RawGetInt(i), what))
			continue
		}
		checkTargets(L, list, what)
		for n := 1; n <= list.Len(); n++ {
			one := m.target(L, list.RawGetInt(n), what)
			one.Beside = n > 1
			targets = append(targets, one)
		}
	}
	if len(targets) > maxTargets {
		lua.RaiseAt(L, "%s: %d targets, at most %d", what, len(targets), maxTargets)
	}
	return targets
}

// isTarget tells a target from a list.
func isTarget(t *glua.LTable) bool {
	return t.RawGetString("uri") != glua.LNil || t.RawGetString("trunk") != glua.LNil || t.RawGetString("aor") != glua.LNil
}

// checkTargets refuses a table that is no list of targets.
func checkTargets(L *glua.LState, t *glua.LTable, what string) {
	n := t.Len()
	switch {
	case n == 0:
		form{L, t, what}.only(targetKeys()...)
		lua.RaiseAt(L, "%s: no target; want a SIP URI, {uri = ...}, {trunk = ...}, {aor = ...} or a list of them", what)
	case n > maxTargets:
		lua.RaiseAt(L, "%s: %d targets, at most %d", what, n, maxTargets)
	}
	t.ForEach(func(k, _ glua.LValue) {
		if _, ok := k.(glua.LNumber); !ok {
			lua.RaiseAt(L, "%s: a list of targets with the key %q", what, k.String())
		}
	})
}

func (m *machine) target(L *glua.LState, v glua.LValue, what string) b2bua.Target {
	t, ok := v.(*glua.LTable)
	if !ok {
		uri, ok := textOf(v)
		if !ok {
			lua.RaiseAt(L, "%s: want a SIP URI or a table, got %s", what, kindOf(v))
		}
		if a, ok := addrText(v); ok {
			uri = a
		}
		checkTarget(L, what, uri)
		return b2bua.Target{URI: uri}
	}
	if t.Len() > 0 {
		lua.RaiseAt(L, "%s: a list in a list in a list; those of the inner list are tried together, and that is all", what)
	}
	f := form{L, t, what}
	f.only(targetKeys()...)
	target := b2bua.Target{
		URI: f.address("uri"), Trunk: f.text("trunk"), AOR: f.address("aor"), User: f.text("user"), Host: f.text("host"),
		Weight: f.integer("weight", 0, 65535), Backup: f.boolean("backup"), Ring: f.seconds("ring"), Try: f.seconds("try"),
		Headers: wantHeaders(L, f.get("headers"), what+": headers"), Auth: m.auth(f), CDR: fieldsOf(f, "cdr"),
	}
	if target.Weight == 0 && f.get("weight") != glua.LNil {
		target.Backup = true // never drawn before one that weighs something
	}
	m.checkPlace(f, target)
	target.User = escape(target.User, userExtra)
	return target
}

// checkPlace refuses a target that is nowhere, or at two places.
func (m *machine) checkPlace(f form, t b2bua.Target) {
	switch {
	case t.URI == "" && t.Trunk == "" && t.AOR == "":
		f.fail("a target needs uri, trunk or aor")
	case t.AOR != "" && (t.URI != "" || t.Trunk != "" || t.User != "" || t.Host != ""):
		f.fail("aor is where its user has registered; uri, trunk, user and host have no meaning beside it")
	}
	if t.URI != "" {
		checkTarget(f.L, f.what, t.URI)
	}
	if t.AOR != "" {
		checkTarget(f.L, f.what+": aor", t.AOR)
	}
	if t.Trunk != "" {
		m.checkTrunk(f.L, f.what, t.Trunk)
	}
	if t.Host != "" {
		checkTarget(f.L, f.what+": host", "sip:"+t.Host)
	}
}

// address is text, or the URI of an address object.
func (f form) address(key string) string {
	if a, ok := addrText(f.get(key)); ok {
		return a
	}
	return f.text(key)
}

// auth reads {user=, password=}, or the name of a trunk: its credentials are
// used and stay unseen.
func (m *machine) auth(f form) *trunk.Auth {
	switch v := f.get("auth").(type) {
	case *glua.LNilType:
		return nil
	case *glua.LTable:
		a := form{f.L, v, f.what + ": auth"}
		a.only("user", "password")
		auth := &trunk.Auth{User: a.text("user"), Password: a.text("password")}
		if auth.User == "" || auth.Password == "" {
			a.fail("want {user = ..., password = ...}")
		}
		if checkText("user", auth.User) != nil || checkText("password", auth.Password) != nil {
			a.fail("user and password are one line of text each")
		}
		return auth
	case glua.LString:
		m.checkTrunk(f.L, f.what+": auth", string(v))
		auth := m.gen.cfg.Trunks().Get(string(v)).Auth
		if auth == nil {
			f.fail("auth: trunk %q has no credentials", string(v))
		}
		return auth
	default:
		f.fail("auth is %s; want {user = ..., password = ...} or the name of a trunk", kindOf(v))
		return nil
	}
}

// addrText is the URI of an address, of an object or of text in brackets.
func addrText(v glua.LValue) (string, bool) {
	if s, ok := v.(glua.LString); ok && strings.ContainsRune(string(s), '<') {
		a, err := message.ParseAddr(string(s))
		return a.URI, err == nil
	}
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
	preset, _ := trunk.ParsePreset(h.choice("preset", presetWords, ""))
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
// failure that the hook was given along, to the new targets or, without these, to
// all that are left.
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
	if a == nil || a.msg == nil || a.msg.read(L).IsRequest() {
		f.fail("copy takes headers of the failure along, in on_failure")
	}
	var copied []message.Header
	for _, name := range names {
		must(L, mayEdit(name))
		for _, value := range a.msg.msg.All(name) {
			copied = append(copied, message.Header{Name: message.LongName(name), Value: value})
		}
	}
	if n.Targets == nil {
		n.Headers = copied
	}
	for i := range n.Targets {
		n.Targets[i].Headers = append(n.Targets[i].Headers, copied...)
	}
	return n
}
