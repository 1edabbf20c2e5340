package cucm

import (
	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
)

// convertDiversion is msg:convertDiversionToHI(), of a request.
func convertDiversion(L *glua.LState) int { return convert(L, "Diversion", message.HistoryForm) }

// convertHistory is msg:convertHIToDiversion(), of a request.
func convertHistory(L *glua.LState) int { return convert(L, "History-Info", message.DiversionOnlyForm) }

// convert tells in another form who diverted the call (RFC 7544), if the message
// has the header.
func convert(L *glua.LState, from string, to message.DiversionForm) int {
	v := self(L)
	m := v.msg.Read()
	if _, there := m.Lookup(from); !there || !m.IsRequest() {
		return 0
	}
	told := m.Clone()
	told.TellDiversion(to)
	for _, name := range []string{"Diversion", "History-Info"} {
		must(L, v.msg.SetHeader(name, told.All(name)...))
	}
	return 0
}
