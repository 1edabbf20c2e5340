package luatest

import (
	"math"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/script/lua"
)

// Bounds of what a test hands over.
const (
	maxHeaders = 200
	maxAdvance = 366 * 24 * 3600 // seconds
)

// invitationOf reads the argument of t.invite.
func invitationOf(L *glua.LState, v glua.LValue) invitation {
	known := []string{"to", "from", "from_trunk", "headers", "body", "sdp", "file", "id"}
	t, ok := v.(*glua.LTable)
	if !ok {
		lua.RaiseAt(L, "t.invite{to=..., from_trunk=...}: want a table, got %s", kindOf(v))
	}
	t.ForEach(func(k, _ glua.LValue) {
		if name := k.String(); !slices.Contains(known, name) {
			lua.RaiseAt(L, "t.invite: unknown key %q%s", name, meant(name, known))
		}
	})
	i := invitation{
		to: option(L, t, "to"), from: option(L, t, "from"), id: option(L, t, "id"), file: option(L, t, "file"),
	}
	if t.RawGetString("from_trunk") == glua.LFalse {
		i.stranger = true
	} else {
		i.trunk = option(L, t, "from_trunk")
	}
	if i.to == "" && i.file == "" {
		lua.RaiseAt(L, "t.invite: to = \"sip:...\" or file = \"invite.sip\" is missing")
	}
	body, sdp := t.RawGetString("body"), t.RawGetString("sdp")
	if body != glua.LNil && sdp != glua.LNil {
		lua.RaiseAt(L, "t.invite: give body or sdp, not both")
	}
	i.content = contentOf(L, t.RawGetString("headers"), body)
	if sdp != glua.LNil {
		i.body, i.given = bodyOf(L, sdp)
		if len(i.body) > 0 {
			i.headers = append(i.headers, message.Header{Name: "Content-Type", Value: "application/sdp"})
		}
	}
	return i
}

// option is "" when the key is not there.
func option(L *glua.LState, t *glua.LTable, key string) string {
	v := t.RawGetString(key)
	if v == glua.LNil {
		return ""
	}
	s := strings.TrimSpace(textOf(L, v))
	if s == "" || message.CheckValue(s) != nil {
		lua.RaiseAt(L, "t.invite: %s = %q is not one line of text", key, s)
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
