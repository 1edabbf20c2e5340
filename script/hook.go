package script

import (
	"fmt"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lua"
)

// hookName is the name a script gives a hook.
func hookName(h b2bua.Hook) string {
	names := hookNames()
	if int(h) < len(names) {
		return names[h]
	}
	return onOther
}

// hookNames are the hooks of a call, by b2bua.Hook.
func hookNames() []string {
	return []string{
		"on_invite", "on_branch", "on_progress", "on_answer", "on_failure", "on_final", "on_request", "on_response",
		"on_bye", "on_end", "on_refer",
	}
}

// onOther is asked about a request outside any dialog whose method has no hook
// of its own.
const onOther = "on_other"

// outsideHooks are those of requests outside any dialog that everybody knows:
// on_<method> serves any other method too.
func outsideHooks() []string {
	return []string{
		"on_register", "on_message", "on_options", "on_subscribe", "on_publish", "on_notify", "on_info", "on_service",
		"on_benotify",
		onOther,
	}
}

// withinCalls are no hooks: outside a dialog these methods mean nothing, and the
// engine answers them.
func withinCalls() []string {
	return []string{"on_ack", "on_cancel", "on_prack", "on_update"}
}

// otherFields are the other things that the engine looks for in M.
func otherFields() []string {
	return []string{"on_load", "on_unload", "params", "responses", "inbound", "outbound"}
}

func knownFields() []string { return slices.Concat(hookNames(), outsideHooks(), otherFields()) }

// outsideName is the hook that is named after a method.
func outsideName(method string) string { return "on_" + strings.ToLower(method) }

// isOutside tells whether a name in M is that of a hook for requests outside any
// dialog. A name that looks like a known one is a slip: on_other serves a method
// that is really called so.
func isOutside(name string) bool {
	if slices.Contains(outsideHooks(), name) {
		return true
	}
	method, ok := strings.CutPrefix(name, "on_")
	known := slices.Concat(knownFields(), withinCalls())
	return ok && message.IsToken(method) && outsideName(method) == name &&
		!slices.Contains(known, name) && lua.Nearest(name, known) == ""
}

// checkField says what is wrong with a name in M, or "". Functions that a
// script shares with its tests are its own business, unless they look like a
// hook or like something misspelt.
func checkField(name string) string {
	known := knownFields()
	switch {
	case slices.Contains(known, name) || isOutside(name):
		return ""
	case slices.Contains(withinCalls(), name):
		return fmt.Sprintf("unknown hook %s: outside a call, %s means nothing",
			name, strings.ToUpper(name[len("on_"):]))
	case strings.HasPrefix(name, "on_"):
		return "unknown hook " + name + meant(name, known)
	case lua.Nearest(name, known) != "":
		return "unknown field " + name + meant(name, known)
	}
	return ""
}

// NoHook says why a name is no hook's, or "".
func NoHook(name string) string {
	if !strings.HasPrefix(name, "on_") {
		return fmt.Sprintf("%q is no hook; one is called like on_invite", name)
	}
	return checkField(name)
}

// waits are the hooks that may wait: (w) in contract/lua-api.md section 2.
func waits(h b2bua.Hook) bool {
	switch h {
	case b2bua.HookInvite, b2bua.HookFailure, b2bua.HookEnd, b2bua.HookRefer, b2bua.HookOutside:
		return true
	default:
		return false
	}
}

// find is the function of a hook, nil when there is none, and notes the name
// that it has in the script.
func (m *machine) find(q *question) *glua.LFunction {
	if q.hook != b2bua.HookOutside {
		return m.hooks[q.hook]
	}
	q.name = outsideName(q.view.Request.Method)
	if m.outside[q.name] == nil {
		q.name = onOther
	}
	return m.outside[q.name]
}

// takeHooks reads the hooks of M.
func (m *machine) takeHooks(t *glua.LTable, f *faults) {
	t.ForEach(func(k, v glua.LValue) {
		name := k.String()
		switch why := checkField(name); {
		case why != "":
			f.add(name, v, "%s", why)
		case isOutside(name):
			if fn := hookOf(t, name, f); fn != nil {
				m.outside[name] = fn
			}
		}
	})
	for hook, name := range hookNames() {
		m.hooks[hook] = hookOf(t, name, f)
	}
	m.onLoad, m.onUnload = hookOf(t, "on_load", f), hookOf(t, "on_unload", f)
}

// unregistered warns of hooks for methods that no RFC knows: the name may be a
// hook of another program.
func (g *generation) unregistered(m *machine) Problems {
	var all Problems
	for _, name := range g.outside {
		if !slices.Contains(outsideHooks(), name) {
			fn := m.outside[name].Proto
			all = append(all, Problem{
				File: fn.SourceName, Line: fn.LineDefined, Warning: true,
				Msg: fmt.Sprintf("%s is asked about requests with the method %s, which no RFC has; is it meant as a hook?",
					name, strings.ToUpper(name[len("on_"):])),
			})
		}
	}
	return all
}
