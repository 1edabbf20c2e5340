package script

import (
	"slices"
	"strings"

	"legwork/b2bua"
	"legwork/script/lua"
)

// hookName is the name a script gives a hook.
func hookName(h b2bua.Hook) string {
	if int(h) < len(hookNames()) {
		return hookNames()[h]
	}
	return "profile"
}

// hookNames are the hooks of a call, by b2bua.Hook.
func hookNames() []string {
	return []string{
		"on_invite", "on_branch", "on_progress", "on_answer", "on_failure", "on_final", "on_request", "on_response",
		"on_bye", "on_end",
	}
}

// laterHooks are those of contract/lua-api.md that this version does not ask.
func laterHooks() []string {
	return []string{
		"on_refer", "on_register", "on_message", "on_options", "on_subscribe", "on_publish", "on_notify", "on_info",
		"on_service", "on_other",
	}
}

// otherFields are the other things that the engine looks for in M.
func otherFields() []string {
	return []string{"on_load", "on_unload", "params", "responses", "inbound", "outbound"}
}

// checkField says what is wrong with a name in M, or "". Functions that a
// script shares with its tests are its own business, unless they look like a
// hook or like something misspelt.
func checkField(name string) string {
	known := slices.Concat(hookNames(), otherFields())
	switch {
	case slices.Contains(known, name):
		return ""
	case slices.Contains(laterHooks(), name):
		return name + " is not supported yet by this version"
	case strings.HasPrefix(name, "on_"):
		return "unknown hook " + name + meant(name, known)
	case lua.Nearest(name, known) != "":
		return "unknown field " + name + meant(name, known)
	}
	return ""
}

// waits are the hooks that may wait: (w) in contract/lua-api.md section 2.
func waits(h b2bua.Hook) bool {
	return h == b2bua.HookInvite || h == b2bua.HookFailure || h == b2bua.HookEnd
}
