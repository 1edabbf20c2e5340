package flows

import "legwork/b2bua/message"

// What happens in most flows alike, and stands with its F-numbers in
// rfc3665_session_test.go.

// connect calls from one phone to the other's and returns the callee's line.
func (w *world) connect(caller, callee *phone) *line {
	w.Helper()
	caller.calls(callee.aor)
	caller.gets("100")
	callee.gets("INVITE")
	w.answers(callee, caller)
	return callee.line
}

// answers has a phone that was invited ring and answer.
func (w *world) answers(callee, caller *phone) {
	w.Helper()
	callee.sends("180")
	caller.gets("180")
	callee.sends("200")
	caller.gets("200")
	caller.sends("ACK")
	callee.gets("ACK")
	w.talk(caller.line, callee.line)
}

// hangsUp ends a call.
func (w *world) hangsUp(one, other *phone) {
	w.Helper()
	one.sends("BYE")
	other.gets("BYE")
	other.sends("200")
	one.gets("200")
}

func header(name, value string) edit {
	return func(m *message.Message) { m.Set(name, value) }
}
