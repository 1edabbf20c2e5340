package luatest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script"
	"legwork/script/lua"
)

// maxStory bounds the decisions and messages of one test that are kept.
const maxStory = 50_000

// remember keeps what t.decision and t.wire show.
func (s *stage) remember(ev b2bua.Event) {
	switch ev.Kind {
	case b2bua.EventReceived, b2bua.EventSent, b2bua.EventDecided:
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told++; s.told <= maxStory {
		s.story[ev.Call] = append(s.story[ev.Call], ev)
	}
}

// storyOf is what happened in a call so far.
func (s *stage) storyOf(c *call) []b2bua.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.story[c.engine])
}

// decision is t.decision(c[, hook]).
func (l *library) decision(L *glua.LState) int {
	c := l.calls.Check(L, 1)
	hook := ""
	if L.Get(2) != glua.LNil {
		hook = textOf(L, L.Get(2))
		if why := script.NoHook(hook); why != "" {
			lua.RaiseAt(L, "t.decision: %s", why)
		}
	}
	for _, ev := range slices.Backward(c.stage.storyOf(c)) {
		if ev.Kind != b2bua.EventDecided || hook != "" && ev.Hook != hook {
			continue
		}
		t := L.NewTable()
		action, _, _ := strings.Cut(ev.Text, " ")
		t.RawSetString("hook", glua.LString(ev.Hook))
		t.RawSetString("action", glua.LString(strings.TrimSuffix(action, ":")))
		t.RawSetString("text", glua.LString(ev.Text))
		if file, line, ok := strings.Cut(ev.Where, ":"); ok {
			n, _ := strconv.Atoi(line)
			t.RawSetString("file", glua.LString(file))
			t.RawSetString("line", glua.LNumber(n))
		}
		L.Push(t)
		return 1
	}
	L.Push(glua.LNil)
	return 1
}

// wire is t.wire(c).
func (l *library) wire(L *glua.LState) int {
	c := l.calls.Check(L, 1)
	story := c.stage.storyOf(c)
	list := L.NewTable()
	for i := range story {
		ev := &story[i]
		if ev.Kind == b2bua.EventDecided || ev.Message == nil {
			continue
		}
		text, row := ev.Wire(), L.NewTable()
		row.RawSetString("leg", glua.LString(legName(ev.Leg)))
		row.RawSetString("sent", glua.LBool(ev.Kind == b2bua.EventSent))
		row.RawSetString("at", glua.LNumber(ev.At.Sub(story[0].At).Seconds()))
		row.RawSetString("text", lua.FromGo(L, string(text)))
		if m, err := message.Parse(text); err == nil {
			row.RawSetString("message", l.vm.Message(L, m, b2bua.Source{}))
		}
		list.Append(row)
	}
	L.Push(list)
	return 1
}

func legName(l b2bua.Leg) string {
	if l.Index == 0 {
		return "a"
	}
	return fmt.Sprintf("b%d", l.Index)
}
