package script

import (
	"slices"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lib"
	"legwork/script/lua"
)

// maxTold bounds the edits of one hook that are told.
const maxTold = 64

// wrote notes an edit and its line, if anybody watches the call.
func (v *messageView) wrote(L *glua.LState, op b2bua.Op, name, value string) {
	if !v.watched {
		return
	}
	if v.written == nil {
		v.written = new([]b2bua.Edit)
	}
	if len(*v.written) >= maxTold {
		return
	}
	file, line := lua.Where(L)
	*v.written = append(*v.written, b2bua.Edit{Op: op, Name: name, Value: value, File: file, Line: line})
}

// wroteField notes the values that a field was given; none: it is gone.
func (v *messageView) wroteField(L *glua.LState, name string, values []string) {
	switch len(values) {
	case 0:
		v.wrote(L, b2bua.OpRemove, name, "")
	case 1:
		v.wrote(L, b2bua.OpSet, name, values[0])
	default:
		v.wrote(L, b2bua.OpSet, name, values[0])
		for _, more := range values[1:] {
			v.wrote(L, b2bua.OpAdd, name, more)
		}
	}
}

// wrotePatterns notes h:keep and h:drop.
func (v *messageView) wrotePatterns(L *glua.LState, op b2bua.Op, patterns []string) {
	if v.watched {
		v.wrote(L, op, strings.Join(patterns, ", "), "")
	}
}

// wroteStatus notes what a response is now.
func (v *messageView) wroteStatus(L *glua.LState) {
	if v.watched {
		v.wrote(L, b2bua.OpSet, "status", statusOf(v.msg))
	}
}

func statusOf(m *message.Message) string { return strconv.Itoa(m.Status) + " " + m.Reason }

// told passes on what the hook has written; leg is the message's, nil the
// caller's.
func (a *asking) told(leg *b2bua.Leg) {
	if a.msg == nil || a.msg.written == nil {
		return
	}
	ev := b2bua.Event{
		Kind: b2bua.EventEdited, Hook: a.hook,
		Edits: &b2bua.Edits{Into: a.msg.msg, Before: a.msg.saved, List: *a.msg.written},
	}
	if leg != nil {
		ev.Leg = *leg
	}
	a.r.handle.Tell(ev)
}

// mapped applies the response map of the script, and tells of it.
func (r *router) mapped(m *machine, res *message.Message, origin b2bua.Origin) {
	if m.responses.rules == nil {
		return
	}
	if !r.watched {
		applyRules(m.responses.rules, res, origin)
		return
	}
	before := res.Clone()
	if !applyRules(m.responses.rules, res, origin) || res.Status == before.Status && res.Reason == before.Reason && slices.Equal(res.Headers, before.Headers) {
		return
	}
	r.handle.Tell(b2bua.Event{Kind: b2bua.EventEdited, Hook: responsesHook, Edits: &b2bua.Edits{
		Into: res, Before: before, List: []b2bua.Edit{{
			Op: b2bua.OpMap, Name: "status", Value: strconv.Itoa(before.Status) + " → " + statusOf(res),
			File: m.responses.file, Line: m.responses.line,
		}},
	}})
}

// failed tells of an error in a hook; that of on_invite is its decision.
func (r *router) failed(hook string, p Problem) {
	if r.watched && hook != hookName(b2bua.HookInvite) {
		r.handle.Tell(b2bua.Event{Kind: b2bua.EventFailed, Hook: hook, Text: p.Msg, Where: p.place()})
	}
}

// watcherOf is who hears what a hook looks up, if anybody does.
func watcherOf(L *glua.LState) func(lib.Told) {
	a := askingOf(L)
	if a == nil || a.r == nil || !a.r.watched {
		return nil
	}
	return func(t lib.Told) {
		ev := b2bua.Event{Kind: b2bua.EventLookedUp, Text: t.Text, Took: t.Took, Where: t.File + ":" + strconv.Itoa(t.Line)}
		if t.Limit {
			ev.Kind = b2bua.EventLimited
		}
		a.r.handle.Tell(ev)
	}
}
