package script

import (
	"bytes"
	"mime"
	"mime/multipart"
	"net/netip"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
	"legwork/script/lua"
)

// messageView is a message as a hook sees it. It belongs to the VM's lock and
// to the asking it was made for: afterwards the message is the engine's again
// and every use of the view is an error.
type messageView struct {
	m        *machine
	msg      *message.Message // nil: the hook is over
	readOnly string           // why edits are refused; "": they are not
	origin   b2bua.Origin     // of a failure
	source   b2bua.Source     // where it came from; zero: made here
	saved    *message.Message // as it was before the first edit
	written  *[]b2bua.Edit    // told when the hook is over; nil: nothing
	sdp      *sdpView
	h        *glua.LUserData // the views of its parts, made when asked for
	uri      *glua.LUserData
	doubted  bool // what it asserts of who calls is not believed
	noSDP    bool // looked for, not there
	reasoned bool // the script wrote the reason phrase
	watched  bool // edits are noted
}

// read returns the message for looking at.
func (v *messageView) read(L *glua.LState) *message.Message {
	if v.msg == nil {
		lua.RaiseAt(L, "this message belonged to a hook that is over; keep what you need of it in call.data")
	}
	return v.msg
}

// edit returns the message for writing, and keeps how it was: an error in the
// hook takes all edits back.
func (v *messageView) edit(L *glua.LState) *message.Message {
	msg := v.read(L)
	if v.readOnly != "" {
		lua.RaiseAt(L, "%s", v.readOnly)
	}
	if v.saved == nil {
		v.saved = msg.Clone()
	}
	return msg
}

// restore takes back all edits.
func (v *messageView) restore() {
	if v.msg != nil && v.saved != nil {
		*v.msg = *v.saved
		v.written = nil
	}
}

// release gives the message back to the engine.
func (v *messageView) release() { v.msg = nil }

func (m *machine) message(L *glua.LState, msg *message.Message) (*messageView, *glua.LUserData) {
	v := &messageView{m: m, msg: msg}
	return v, m.classes.message.New(L, v)
}

func messageDef() lua.ClassDef[*messageView] {
	return lua.ClassDef[*messageView]{
		Get: map[string]getter[*messageView]{
			"method":       getText(func(msg *message.Message) string { return msg.Method }),
			"uri":          getURI,
			"status":       getNumber(func(msg *message.Message) int { return msg.Status }),
			"reason":       getText(func(msg *message.Message) string { return msg.Reason }),
			"origin":       getOrigin,
			"q850":         getNumber((*message.Message).Q850),
			"retry_after":  getRetryAfter,
			"contacts":     getList("Contact"),
			"from":         getAddr("From"),
			"to":           getAddr("To"),
			"contact":      getAddr("Contact"),
			"call_id":      getText((*message.Message).CallID),
			"cseq":         getCSeq,
			"h":            getHeaders,
			"body":         getText(func(msg *message.Message) string { return string(msg.Body) }),
			"content_type": getText(func(msg *message.Message) string { return msg.Get("Content-Type") }),
			"parts":        getParts,
			"sdp":          getSDP,
			"identity":     getIdentity,
			"privacy":      getText(func(msg *message.Message) string { return msg.Get("Privacy") }),
			"diversion":    getList("Diversion"),
			"history":      getList("History-Info"),
			"source":       getSource,
			"raw":          getText(func(msg *message.Message) string { return string(msg.Raw) }),
		},
		Set: map[string]setter[*messageView]{
			"uri":          writeURI,
			"status":       writeStatus,
			"reason":       writeReason,
			"from":         writeHeader("From"),
			"to":           writeHeader("To"),
			"contact":      writeHeader("Contact"),
			"body":         writeBody,
			"content_type": writeHeader("Content-Type"),
		},
		Methods: map[string]glua.LGFunction{"diversion_as": diversionAs},
		Meta:    toString((*messageView).String),
	}
}

// diversionAs is message:diversion_as(form): who diverted the call, in one form.
func diversionAs(L *glua.LState) int {
	v := self[*messageView](L, "message")
	form, ok := message.ParseDiversionForm(wantText(L, L.Get(2)))
	if !ok {
		lua.RaiseAt(L, "diversion_as: want \"history\", \"diversion\", \"both\", \"none\" or \"keep\"")
	}
	msg := v.edit(L)
	before := msg.Clone()
	msg.TellDiversion(form)
	for _, name := range [...]string{"Diversion", "History-Info"} {
		if now := msg.All(name); !slices.Equal(now, before.All(name)) {
			v.wroteField(L, name, now)
		}
	}
	return 0
}

// String is the first line without the version.
func (v *messageView) String() string {
	switch {
	case v.msg == nil:
		return "message of a hook that is over"
	case v.msg.IsRequest():
		return v.msg.Method + " " + v.msg.URI
	}
	return statusOf(v.msg)
}

// getText gives nil for what is not there.
func getText(of func(*message.Message) string) getter[*messageView] {
	return func(L *glua.LState, v *messageView) glua.LValue {
		return text(of(v.read(L)))
	}
}

func text(s string) glua.LValue {
	if s == "" {
		return glua.LNil
	}
	return glua.LString(s)
}

func getNumber(of func(*message.Message) int) getter[*messageView] {
	return func(L *glua.LState, v *messageView) glua.LValue {
		return number(of(v.read(L)))
	}
}

// getRetryAfter tells "at once" (0) from nothing (nil).
func getRetryAfter(L *glua.LState, v *messageView) glua.LValue {
	msg := v.read(L)
	if value := msg.Get("Retry-After"); value == "" || !digit(value[0]) {
		return glua.LNil
	}
	return glua.LNumber(msg.RetryAfter())
}

// getCSeq is a number that may be 0 (RFC 3261 section 20.16).
func getCSeq(L *glua.LState, v *messageView) glua.LValue {
	n, _, _ := v.read(L).CSeq()
	return glua.LNumber(n)
}

func number(n int) glua.LValue {
	if n <= 0 {
		return glua.LNil
	}
	return glua.LNumber(n)
}

func writeURI(L *glua.LState, v *messageView, value glua.LValue) {
	s := wantText(L, value)
	must(L, setURI(v.edit(L), s))
	v.wrote(L, b2bua.OpSet, "uri", s)
}

func writeStatus(L *glua.LState, v *messageView, value glua.LValue) {
	must(L, setStatus(v.edit(L), wantInt(L, value), v.reasoned))
	v.wroteStatus(L)
}

func writeReason(L *glua.LState, v *messageView, value glua.LValue) {
	must(L, setReason(v.edit(L), wantText(L, value)))
	v.reasoned = true
	v.wroteStatus(L)
}

func writeHeader(name string) setter[*messageView] {
	return func(L *glua.LState, v *messageView, value glua.LValue) {
		values := wantField(L, name, value)
		must(L, setHeader(v.edit(L), name, values...))
		v.wroteField(L, name, values)
	}
}

func writeBody(L *glua.LState, v *messageView, value glua.LValue) {
	body := ""
	if value != glua.LNil {
		body = wantText(L, value)
	}
	must(L, setBody(v.edit(L), body))
	v.wrote(L, b2bua.OpSet, "body", body)
	v.sdp, v.noSDP = nil, false
}

func getOrigin(L *glua.LState, v *messageView) glua.LValue {
	if v.read(L).Status < 300 {
		return glua.LNil
	}
	return text(string(v.origin))
}

func getSource(L *glua.LState, v *messageView) glua.LValue {
	v.read(L)
	if v.source.IP == "" {
		return glua.LNil
	}
	return v.m.classes.source.New(L, &v.source)
}

// sourceOf is where a leg's messages come from.
func sourceOf(leg b2bua.Leg) b2bua.Source {
	at, err := netip.ParseAddrPort(leg.Remote)
	if err != nil {
		return b2bua.Source{}
	}
	return b2bua.Source{IP: at.Addr().String(), Port: int(at.Port()), Trunk: leg.Trunk}
}

// from says where the message came from.
func (v *messageView) from(s b2bua.Source) {
	v.source = s
	v.doubted = s.IP != "" && v.m.gen.cfg.Trunks().Trust(s.Trunk) == trunk.Untrusted
}

// maxParts bounds the parts of a multipart body that are looked at.
const maxParts = 32

// getParts lists the parts of a multipart body, nil when it is none.
func getParts(L *glua.LState, v *messageView) glua.LValue {
	msg := v.read(L)
	kind, params, err := mime.ParseMediaType(msg.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return glua.LNil
	}
	list := L.NewTable()
	parts := multipart.NewReader(bytes.NewReader(msg.Body), params["boundary"])
	for range maxParts {
		part, err := parts.NextRawPart()
		if err != nil {
			break
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(part); err != nil {
			break
		}
		one := L.NewTable()
		one.RawSetString("content_type", text(part.Header.Get("Content-Type")))
		one.RawSetString("content_disposition", text(part.Header.Get("Content-Disposition")))
		one.RawSetString("body", glua.LString(body.String()))
		list.Append(one)
	}
	return list
}
