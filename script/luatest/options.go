package luatest

import (
	"math"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/digest"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// Bounds of what a test hands over.
const (
	maxHeaders = 200
	maxAdvance = 366 * 24 * 3600 // seconds
)

// options is the table that t.invite or t.request is given.
type options struct {
	L    *glua.LState
	t    *glua.LTable
	what string
}

// optionsOf refuses keys that are not known.
func optionsOf(L *glua.LState, what string, known ...string) options {
	t, ok := L.Get(1).(*glua.LTable)
	if !ok {
		lua.RaiseAt(L, "%s{to=..., from_trunk=...}: want a table, got %s", what, kindOf(L.Get(1)))
	}
	t.ForEach(func(k, _ glua.LValue) {
		if name := k.String(); !slices.Contains(known, name) {
			lua.RaiseAt(L, "%s: unknown key %q%s", what, name, meant(name, known))
		}
	})
	return options{L, t, what}
}

// invitationOf reads the argument of t.invite.
func invitationOf(L *glua.LState) invitation {
	o := optionsOf(L, "t.invite", "to", "from", "from_trunk", "headers", "body", "sdp", "file", "text", "pcap", "call_id", "number", "id", "auth")
	i := o.request("INVITE")
	if i.seen = o.seen(); i.to == "" && i.seen == (seen{}) {
		lua.RaiseAt(L, "t.invite: to = \"sip:...\" or file = \"invite.sip\" is missing")
	}
	body, sdp := o.t.RawGetString("body"), o.t.RawGetString("sdp")
	if body != glua.LNil && sdp != glua.LNil {
		lua.RaiseAt(L, "t.invite: give body or sdp, not both")
	}
	if sdp != glua.LNil {
		i.body, i.given = bodyOf(L, sdp)
		if len(i.body) > 0 {
			i.headers = append(i.headers, message.Header{Name: "Content-Type", Value: "application/sdp"})
		}
	}
	return i
}

// requestOf reads the argument of t.request.
func requestOf(L *glua.LState) invitation {
	o := optionsOf(L, "t.request", "method", "to", "from", "from_trunk", "headers", "body", "id", "auth")
	method := o.text("method")
	switch {
	case !message.IsToken(method):
		lua.RaiseAt(L, "t.request: method = %q is not a method", method)
	case method == "INVITE" || method == "ACK" || method == "CANCEL":
		lua.RaiseAt(L, "t.request: a call is placed with t.invite{...}")
	}
	i := o.request(method)
	if i.to == "" {
		lua.RaiseAt(L, "t.request: to = \"sip:...\" is missing")
	}
	i.given = true
	return i
}

// request reads what both have.
func (o options) request(method string) invitation {
	i := invitation{method: method, to: o.text("to"), from: o.text("from"), id: o.text("id")}
	if _, err := message.ParseURI(i.to); i.to != "" && err != nil {
		lua.RaiseAt(o.L, "%s: to = %q is not a URI; want \"sip:...\"", o.what, i.to)
	}
	if o.t.RawGetString("from_trunk") == glua.LFalse {
		i.stranger = true
	} else {
		i.trunk = o.text("from_trunk")
	}
	if v := o.t.RawGetString("auth"); v != glua.LNil {
		i.auth = o.credentials(v)
	}
	i.content = contentOf(o.L, o.t.RawGetString("headers"), o.t.RawGetString("body"))
	return i
}

// seen reads where the INVITE is written down.
func (o options) seen() seen {
	s := seen{file: o.text("file"), pcap: o.text("pcap"), callID: o.text("call_id"), number: o.text("number")}
	if v := o.t.RawGetString("text"); v != glua.LNil {
		s.text = textOf(o.L, v)
	}
	ways := 0
	for _, one := range []string{s.file, s.pcap, s.text} {
		if one != "" {
			ways++
		}
	}
	switch {
	case ways > 1:
		lua.RaiseAt(o.L, "%s: give one of file, text and pcap", o.what)
	case s.pcap == "" && s.callID+s.number != "":
		lua.RaiseAt(o.L, "%s: call_id and number pick a call of pcap = \"call.pcap\"", o.what)
	}
	return s
}

// credentials reads auth = {user=, password=}.
func (o options) credentials(v glua.LValue) *digest.Credentials {
	t, ok := v.(*glua.LTable)
	if !ok {
		lua.RaiseAt(o.L, "%s: auth = {user = ..., password = ...}: want a table, got %s", o.what, kindOf(v))
	}
	c := options{o.L, t, o.what + ": auth"}
	who := &digest.Credentials{User: c.text("user"), Password: c.text("password")}
	if who.User == "" || who.Password == "" {
		lua.RaiseAt(o.L, "%s: auth needs user and password", o.what)
	}
	return who
}

// text is "" when the key is not there.
func (o options) text(key string) string {
	v := o.t.RawGetString(key)
	if v == glua.LNil {
		return ""
	}
	s := strings.TrimSpace(textOf(o.L, v))
	if s == "" || message.CheckValue(s) != nil {
		lua.RaiseAt(o.L, "%s: %s = %q is not one line of text", o.what, key, s)
	}
	return s
}

// contentOf reads headers = {Name = "value" or {"v1", "v2"}} and a body.
func contentOf(L *glua.LState, headers, body glua.LValue) content {
	var c content
	c.body, c.given = bodyOf(L, body)
	if headers == glua.LNil {
		return c
	}
	t, ok := headers.(*glua.LTable)
	if !ok {
		lua.RaiseAt(L, "headers: want a table, got %s", kindOf(headers))
	}
	t.ForEach(func(k, v glua.LValue) {
		name, ok := k.(glua.LString)
		if !ok || !message.IsToken(string(name)) {
			lua.RaiseAt(L, "headers: %s is not the name of a header", k)
		}
		if list, ok := v.(*glua.LTable); ok {
			for n := 1; n <= min(list.Len(), maxHeaders); n++ {
				c.add(L, string(name), list.RawGetInt(n))
			}
			return
		}
		c.add(L, string(name), v)
	})
	slices.SortStableFunc(c.headers, func(a, b message.Header) int { return strings.Compare(a.Name, b.Name) })
	return c
}

func (c *content) add(L *glua.LState, name string, v glua.LValue) {
	value := textOf(L, v)
	if err := message.CheckValue(value); err != nil {
		lua.RaiseAt(L, "headers: %s: %s", name, err.Error())
	}
	if len(c.headers) >= maxHeaders {
		lua.RaiseAt(L, "headers: at most %d", maxHeaders)
	}
	c.headers = append(c.headers, message.Header{Name: message.LongName(name), Value: value})
}

// bodyOf reads a body: nil leaves it to the agent, false is none.
func bodyOf(L *glua.LState, v glua.LValue) (body []byte, given bool) {
	switch v {
	case glua.LNil:
		return nil, false
	case glua.LFalse:
		return nil, true
	}
	text := textOf(L, v)
	if len(text) > maxText {
		lua.RaiseAt(L, "a body of %d bytes; at most %d are sent", len(text), maxText)
	}
	return []byte(text), true
}

func textOf(L *glua.LState, v glua.LValue) string {
	switch v.(type) {
	case glua.LString, glua.LNumber:
		return v.String()
	case *glua.LUserData:
		if s, ok := L.ToStringMeta(v).(glua.LString); ok {
			return string(s)
		}
	}
	lua.RaiseAt(L, "want a string, got %s", kindOf(v))
	return ""
}

func wholeOf(L *glua.LState, v glua.LValue, what string, low, high int) int {
	n, ok := lua.ToNumber(v)
	if !ok || n != math.Trunc(n) || n < float64(low) || n > float64(high) {
		lua.RaiseAt(L, "%s: want a whole number from %d to %d, got %s", what, low, high, kindOf(v))
	}
	return int(n)
}

func kindOf(v glua.LValue) string {
	switch v := v.(type) {
	case *glua.LNilType:
		return "nil"
	case glua.LNumber:
		return v.String()
	case glua.LString:
		return "a string"
	}
	return "a " + v.Type().String()
}

func meant(name string, known []string) string {
	if near := lua.Nearest(name, known); near != "" {
		return "; did you mean \"" + near + "\"?"
	}
	return ""
}
