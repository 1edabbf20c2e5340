package luatest

import (
	"net/netip"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/leak"
	"legwork/script/lua"
)

// leaks is t.leaks(leg, {"word", "10.0.0.0/8", ...}): what of these the messages
// that a leg got tell, as a list of "INVITE From: word".
func (l *library) leaks(L *glua.LState) int {
	one := l.legs.Check(L, 1)
	inside, ok := L.Get(2).(*glua.LTable)
	if !ok {
		lua.RaiseAt(L, "t.leaks(leg, {words and networks}): want a list, got %s", kindOf(L.Get(2)))
	}
	var words []string
	var networks []netip.Prefix
	inside.ForEach(func(_, v glua.LValue) {
		text, ok := v.(glua.LString)
		if !ok {
			lua.RaiseAt(L, "t.leaks: want words and networks, got %s", kindOf(v))
		}
		if n, err := netip.ParsePrefix(string(text)); err == nil {
			networks = append(networks, n)
		} else {
			words = append(words, string(text))
		}
	})
	guard, err := leak.New(words, networks)
	if err != nil {
		lua.RaiseAt(L, "t.leaks: %s", err.Error())
	}
	list := L.NewTable()
	one.stage.mu.Lock()
	defer one.stage.mu.Unlock()
	for _, m := range one.got {
		for _, found := range guard.Find(m.Raw) {
			list.Append(glua.LString(m.Name() + " " + found.Where + ": " + found.What))
		}
	}
	L.Push(list)
	return 1
}
