package cucm

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/script/lua"
)

// sipMessage is what a handler is given. It belongs to the lock of the script's
// VM and to the run it was made for.
type sipMessage struct {
	script  *Script
	msg     Message
	keep    *Context
	pass    *PassThrough
	inbound bool
	block   bool
	over    bool
}

func messageDef() lua.ClassDef[*sipMessage] {
	return lua.ClassDef[*sipMessage]{
		Methods: map[string]glua.LGFunction{
			"getRequestLine": getRequestLine, "getRequestUriParameter": getRequestURIParam, "setRequestUri": setRequestURI,
			"getResponseLine": getResponseLine, "setResponseCode": setResponseCode,
			"getHeader": getHeader, "getHeaderValues": getHeaderValues, "getHeaderValueParameter": getValueParam,
			"getHeaderUriParameter": getURIParam, "getUri": getURI, "addHeader": addHeader,
			"addHeaderValueParameter": addValueParam, "addHeaderUriParameter": addURIParam, "modifyHeader": modifyHeader,
			"applyNumberMask": applyNumberMask, "removeHeader": removeHeader, "removeHeaderValue": removeHeaderValue,
			"convertDiversionToHI": convertDiversion, "convertHIToDiversion": convertHistory,
			"getSdp": getSDP, "setSdp": setSDP, "removeUnreliableSdp": removeUnreliableSDP,
			"getContentBody": getContentBody, "addContentBody": addContentBody, "removeContentBody": removeContentBody,
			"block": blockMessage, "getPassThrough": getPassThrough, "getContext": getContext,
			"isInitialInviteRequest": isInitialInvite, "isReInviteRequest": isReInvite,
		},
	}
}

// self is argument 1 of a method.
func self(L *glua.LState) *sipMessage {
	if ud, ok := L.Get(1).(*glua.LUserData); ok {
		if v, ok := ud.Value.(*sipMessage); ok {
			if v.over {
				lua.RaiseAt(L, "this message belonged to a handler that is over; keep what you need of it in getContext()")
			}
			v.msg.At(func() (string, int) { return lua.Where(L) })
			return v
		}
	}
	lua.RaiseAt(L, "a message expected, got %s; call its methods with a colon", L.Get(1).Type())
	return nil
}

// maxNoted bounds the lines of which a script was told that they do nothing.
const maxNoted = 100

// wrote passes over an edit of what the engine owns: in CUCM a script may take
// Max-Forwards out of a message, and what else it does there is still wanted. The
// log says so once for each line.
func (v *sipMessage) wrote(L *glua.LState, err error) {
	if !errors.Is(err, ErrOwned) {
		must(L, err)
		return
	}
	file, line := lua.Where(L)
	at := fmt.Sprintf("%s:%d", file, line)
	if s := v.script; !s.noted[at] && len(s.noted) < maxNoted {
		s.noted[at] = true
		s.print(L, "passed over: "+err.Error())
	}
}

const version = "SIP/2.0"

// getRequestLine is msg:getRequestLine(): method, URI and version.
func getRequestLine(L *glua.LState) int {
	m := self(L).msg.Read()
	if !m.IsRequest() {
		lua.RaiseAt(L, "getRequestLine: this is a response")
	}
	pushText(L, m.Method)
	pushText(L, m.URI)
	return 2 + pushText(L, version)
}

// getResponseLine is msg:getResponseLine(): version, status and reason.
func getResponseLine(L *glua.LState) int {
	m := self(L).msg.Read()
	if m.IsRequest() {
		lua.RaiseAt(L, "getResponseLine: this is a request")
	}
	pushText(L, version)
	L.Push(glua.LNumber(m.Status))
	return 2 + pushText(L, m.Reason)
}

func getRequestURIParam(L *glua.LState) int {
	m := self(L).msg.Read()
	_, params, _ := splitURI(m.URI)
	return pushParam(L, params, wantText(L, 2))
}

func setRequestURI(L *glua.LState) int {
	must(L, self(L).msg.SetURI(wantText(L, 2)))
	return 0
}

// setResponseCode is msg:setResponseCode(code, reason); either may be nil.
func setResponseCode(L *glua.LState) int {
	v, code := self(L), 0
	if n, ok := lua.ToNumber(L.Get(2)); ok {
		if code = int(n); float64(code) != n || code < 100 || code > 699 {
			lua.RaiseAt(L, "setResponseCode: %s is not a status", L.Get(2))
		}
	}
	must(L, v.msg.SetStatus(code, mayText(L, 3)))
	return 0
}

// pushParam gives nil for one that is not there, "" for one without a value.
func pushParam(L *glua.LState, params []string, name string) int {
	text, ok := get(params, name)
	if !ok {
		return pushNil(L)
	}
	return pushText(L, text)
}

// getHeader is msg:getHeader(name): all values, with a comma between them.
func getHeader(L *glua.LState) int {
	all := self(L).msg.Read().All(wantText(L, 2))
	if len(all) == 0 {
		return pushNil(L)
	}
	return pushText(L, strings.Join(all, ","))
}

// getHeaderValues is msg:getHeaderValues(name): a list, an empty one when there
// is no such header.
func getHeaderValues(L *glua.LState) int {
	m, name := self(L).msg.Read(), wantText(L, 2)
	list := L.NewTable()
	for _, line := range m.All(name) {
		for _, one := range members(name, line) {
			lua.Charge(L, len(one)+32)
			list.Append(glua.LString(one))
		}
	}
	L.Push(list)
	return 1
}

func getValueParam(L *glua.LState) int {
	text, ok := first(self(L).msg.Read(), wantText(L, 2))
	if !ok {
		return pushNil(L)
	}
	return pushParam(L, readValue(text).params, wantText(L, 3))
}

func getURIParam(L *glua.LState) int {
	text, ok := first(self(L).msg.Read(), wantText(L, 2))
	if !ok {
		return pushNil(L)
	}
	v := readValue(text)
	if !v.angled {
		return pushNil(L)
	}
	_, params, _ := splitURI(v.uri)
	return pushParam(L, params, wantText(L, 3))
}

// getURI is msg:getUri(header): the URI of its first value.
func getURI(L *glua.LState) int {
	text, ok := first(self(L).msg.Read(), wantText(L, 2))
	if !ok || readValue(text).uri == "" {
		return pushNil(L)
	}
	return pushText(L, readValue(text).uri)
}

func addHeader(L *glua.LState) int {
	v := self(L)
	v.wrote(L, v.msg.AddHeader(wantText(L, 2), wantText(L, 3)))
	return 0
}

// addValueParam is msg:addHeaderValueParameter(header, name[, value]), which
// changes the first value; without the header it does nothing.
func addValueParam(L *glua.LState) int {
	v := self(L)
	v.wrote(L, setValueParam(v.msg, wantText(L, 2), wantText(L, 3), mayText(L, 4)))
	return 0
}

func setValueParam(m Message, header, name, text string) error {
	if err := checkParam(name, text); err != nil {
		return err
	}
	return change(m, header, func(v *value) { v.params = set(v.params, name, text) })
}

func addURIParam(L *glua.LState) int {
	v := self(L)
	v.wrote(L, setHeaderURIParam(v.msg, wantText(L, 2), wantText(L, 3), mayText(L, 4)))
	return 0
}

func setHeaderURIParam(m Message, header, name, text string) error {
	if err := checkParam(name, text); err != nil {
		return err
	}
	return change(m, header, func(v *value) { v.uri, v.angled = setURIParam(v.uri, name, text), true })
}

// checkParam keeps a parameter from being more than one.
func checkParam(name, text string) error {
	if !message.IsToken(name) {
		return fmt.Errorf("%q is not the name of a parameter", name)
	}
	quoted := len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"'
	if !quoted && strings.ContainsAny(text, ";,<>\"") {
		return fmt.Errorf("%q is not the value of a parameter", text)
	}
	return nil
}

// change edits the first value of a header; without it nothing happens.
func change(m Message, header string, edit func(v *value)) error {
	text, ok := first(m.Read(), header)
	if !ok {
		return nil
	}
	v := readValue(text)
	edit(&v)
	return m.SetHeader(header, withFirst(m.Read(), header, v.String())...)
}

// nobody is a user that a script has taken out of a URI.
var nobody = regexp.MustCompile(`(?i)\b(sips?:)@`)

// withoutNobody is a URI, or an address, of a host alone where it names a user
// that is empty.
func withoutNobody(s string) string { return nobody.ReplaceAllString(s, "$1") }

// modifyHeader is msg:modifyHeader(name, value), which replaces a header that is
// there.
func modifyHeader(L *glua.LState) int {
	v, name := self(L), wantText(L, 2)
	text := withoutNobody(wantText(L, 3))
	if _, ok := v.msg.Read().Lookup(name); ok {
		v.wrote(L, v.msg.SetHeader(name, text))
	}
	return 0
}

func applyNumberMask(L *glua.LState) int {
	v, name := self(L), wantText(L, 2)
	mask, wildcard := wantMask(L, 3)
	v.wrote(L, change(v.msg, name, func(one *value) { one.uri, _, _ = maskURI(one.uri, mask, wildcard) }))
	return 0
}

func removeHeader(L *glua.LState) int {
	v, name := self(L), wantText(L, 2)
	if _, ok := v.msg.Read().Lookup(name); ok {
		v.wrote(L, v.msg.SetHeader(name))
	}
	return 0
}

// removeHeaderValue is msg:removeHeaderValue(name, value): of a list one member
// goes; with the last one the header goes.
func removeHeaderValue(L *glua.LState) int {
	v, name, gone := self(L), wantText(L, 2), strings.TrimSpace(wantText(L, 3))
	var lines []string
	found := false
	for _, line := range v.msg.Read().All(name) {
		all := members(name, line)
		kept := slices.DeleteFunc(slices.Clone(all), func(one string) bool { return strings.EqualFold(strings.TrimSpace(one), gone) })
		switch {
		case len(kept) == len(all):
			lines = append(lines, line)
			continue
		case len(kept) > 0:
			lines = append(lines, strings.Join(kept, ", "))
		}
		found = true
	}
	if found {
		v.wrote(L, v.msg.SetHeader(name, lines...))
	}
	return 0
}

var errBlock = errors.New("block: only an inbound 101 to 199 that is not reliable can be blocked")

// blockMessage is msg:block(): an inbound 18X is as if it had not come. A reliable one
// is not for that: its PRACK has gone out (RFC 3262).
func blockMessage(L *glua.LState) int {
	v := self(L)
	m := v.msg.Read()
	if !v.inbound || m.Status <= 100 || m.Status > 199 || reliable(m) {
		must(L, errBlock)
	}
	v.block = true
	return 0
}

func reliable(m *message.Message) bool { return m.HasToken("Require", "100rel") }

// getContext is msg:getContext(): a table that lives as long as the leg.
func getContext(L *glua.LState) int {
	v := self(L)
	if v.keep.table == nil || v.keep.of != v.script {
		v.keep.of, v.keep.table = v.script, L.NewTable()
	}
	L.Push(v.keep.table)
	return 1
}

func isInitialInvite(L *glua.LState) int {
	m := self(L).msg.Read()
	L.Push(glua.LBool(m.IsRequest() && m.Method == "INVITE" && m.ToTag() == ""))
	return 1
}

func isReInvite(L *glua.LState) int {
	m := self(L).msg.Read()
	L.Push(glua.LBool(m.IsRequest() && m.Method == "INVITE" && m.ToTag() != ""))
	return 1
}
