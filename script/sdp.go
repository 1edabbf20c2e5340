package script

import (
	"errors"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/offer"
	"legwork/script/lua"
)

// sdpView is message.sdp. Every edit is written to the body at once.
type sdpView struct {
	of      *messageView
	session *offer.Session
}

// streamView is one m= line of it.
type streamView struct {
	of     *sdpView
	stream *offer.Stream
}

// getSDP gives nil when there is none or it can't be read.
func getSDP(L *glua.LState, v *messageView) glua.LValue {
	msg := v.read(L)
	if v.sdp == nil && !v.noSDP {
		v.sdp = sdpOf(v, msg)
		v.noSDP = v.sdp == nil
	}
	if v.sdp == nil {
		return glua.LNil
	}
	return v.m.classes.sdp.New(L, v.sdp)
}

func sdpOf(v *messageView, msg *message.Message) *sdpView {
	if len(msg.Body) == 0 {
		return nil
	}
	body, ok := offer.Find(msg.Get("Content-Type"), msg.Body)
	if !ok {
		return nil
	}
	session, err := offer.Parse(body)
	if err != nil {
		return nil
	}
	return &sdpView{of: v, session: session}
}

// read refuses a description that is no longer the message's.
func (v *sdpView) read(L *glua.LState) *offer.Session {
	v.of.read(L)
	if v.of.sdp != v {
		lua.RaiseAt(L, "this sdp was replaced with the message's body; ask for msg.sdp again")
	}
	return v.session
}

// edit runs a change and writes the body; an error leaves both as they were.
func (v *sdpView) edit(L *glua.LState, change func(*offer.Session) error) error {
	session := v.read(L)
	msg := v.of.edit(L)
	if err := change(session); err != nil {
		return err
	}
	body, err := offer.Replace(msg.Get("Content-Type"), msg.Body, session.Bytes())
	if err != nil {
		v.of.sdp = nil // it is no longer what the body says
		return err
	}
	msg.Body = body
	v.of.wrote(L, b2bua.OpSet, "sdp", "")
	return nil
}

func (m *machine) sdpDef() lua.ClassDef[*sdpView] {
	stream := func(of func(*offer.Session) *offer.Stream) getter[*sdpView] {
		return func(L *glua.LState, v *sdpView) glua.LValue {
			if s := of(v.read(L)); s != nil {
				return m.classes.stream.New(L, streamView{v, s})
			}
			return glua.LNil
		}
	}
	return lua.ClassDef[*sdpView]{
		Get: map[string]getter[*sdpView]{
			"raw": func(L *glua.LState, v *sdpView) glua.LValue {
				return glua.LString(v.read(L).Bytes())
			},
			"audio": stream((*offer.Session).Audio),
			"video": stream((*offer.Session).Video),
			"media": func(L *glua.LState, v *sdpView) glua.LValue {
				list := L.NewTable()
				for _, s := range v.read(L).Media() {
					list.Append(m.classes.stream.New(L, streamView{v, s}))
				}
				return list
			},
			"connection": func(L *glua.LState, v *sdpView) glua.LValue {
				return text(v.read(L).Connection())
			},
		},
		Set: map[string]setter[*sdpView]{
			"connection": func(L *glua.LState, v *sdpView, value glua.LValue) {
				addr := wantText(L, value)
				must(L, v.edit(L, func(s *offer.Session) error { return s.SetConnection(addr) }))
			},
		},
		Methods: map[string]glua.LGFunction{"hold": holdSDP, "strip": stripSDP},
		Meta:    toString(func(v *sdpView) string { return string(v.session.Bytes()) }),
	}
}

func holdSDP(L *glua.LState) int {
	must(L, self[*sdpView](L, "sdp").edit(L, func(s *offer.Session) error {
		s.Hold()
		return nil
	}))
	return 0
}

// stripSDP is sdp:strip{"ice", "crypto", "video"}.
func stripSDP(L *glua.LState) int {
	v, kinds := self[*sdpView](L, "sdp"), wantNames(L, L.Get(2))
	must(L, v.edit(L, func(s *offer.Session) error { return s.Strip(kinds...) }))
	return 0
}

func streamDef() lua.ClassDef[streamView] {
	return lua.ClassDef[streamView]{
		Get: map[string]getter[streamView]{
			"kind":      getStream(func(s *offer.Stream) glua.LValue { return text(s.Kind()) }),
			"direction": getStream(func(s *offer.Stream) glua.LValue { return text(string(s.Direction())) }),
			"ptime":     getStream(func(s *offer.Stream) glua.LValue { return number(s.PTime()) }),
			"port":      getStream(func(s *offer.Stream) glua.LValue { return glua.LNumber(s.Port()) }),
		},
		Set: map[string]setter[streamView]{
			"direction": func(L *glua.LState, v streamView, value glua.LValue) {
				d := offer.Direction(wantText(L, value))
				must(L, v.edit(L, func(s *offer.Stream) error { return s.SetDirection(d) }))
			},
			"ptime": func(L *glua.LState, v streamView, value glua.LValue) {
				ms := 0
				if value != glua.LNil {
					ms = wantInt(L, value)
				}
				must(L, v.edit(L, func(s *offer.Stream) error { return s.SetPTime(ms) }))
			},
			"port": func(L *glua.LState, v streamView, value glua.LValue) {
				port := wantInt(L, value)
				must(L, v.edit(L, func(s *offer.Stream) error { return s.SetPort(port) }))
			},
		},
		Methods: map[string]glua.LGFunction{
			"codecs": streamCodecs,
			"keep":   chooseCodecs((*offer.Stream).Keep),
			"drop":   chooseCodecs((*offer.Stream).Drop),
			"prefer": chooseCodecs((*offer.Stream).Prefer),
			"attr":   streamAttr,
			"remove": removeStream,
		},
	}
}

func getStream(of func(*offer.Stream) glua.LValue) getter[streamView] {
	return func(L *glua.LState, v streamView) glua.LValue {
		v.of.read(L)
		return of(v.stream)
	}
}

func (v streamView) edit(L *glua.LState, change func(*offer.Stream) error) error {
	return v.of.edit(L, func(*offer.Session) error { return change(v.stream) })
}

// streamCodecs lists name, payload, clock, channels and fmtp in order of preference.
func streamCodecs(L *glua.LState) int {
	v := self[streamView](L, "stream")
	v.of.read(L)
	list := L.NewTable()
	for _, c := range v.stream.Codecs() {
		one := L.NewTable()
		one.RawSetString("name", text(c.Name))
		one.RawSetString("payload", glua.LNumber(c.Payload))
		one.RawSetString("clock", number(c.Clock))
		one.RawSetString("channels", glua.LNumber(c.Channels))
		one.RawSetString("fmtp", text(c.Fmtp))
		list.Append(one)
	}
	L.Push(list)
	return 1
}

// chooseCodecs answers true, or nil and why when no codec would be left: the
// stream is then as it was.
func chooseCodecs(choose func(*offer.Stream, ...string) error) glua.LGFunction {
	return func(L *glua.LState) int {
		v, names := self[streamView](L, "stream"), wantNames(L, L.Get(2))
		err := v.edit(L, func(s *offer.Stream) error { return choose(s, names...) })
		if errors.Is(err, offer.ErrNoCodec) {
			L.Push(glua.LNil)
			L.Push(glua.LString(err.Error()))
			return 2
		}
		must(L, err)
		L.Push(glua.LTrue)
		return 1
	}
}

// streamAttr is stream:attr(name[, value]): reads without a value, writes with
// one ("" or true writes the name alone), removes with nil or false.
func streamAttr(L *glua.LState) int {
	v, name := self[streamView](L, "stream"), wantText(L, L.Get(2))
	v.of.read(L)
	switch {
	case L.GetTop() < 3:
		value, ok := v.stream.Attr(name)
		if ok {
			L.Push(glua.LString(value))
		} else {
			L.Push(glua.LNil)
		}
		return 1
	case L.Get(3) == glua.LNil, L.Get(3) == glua.LFalse:
		must(L, v.edit(L, func(s *offer.Stream) error {
			s.DelAttr(name)
			return nil
		}))
	default:
		value := ""
		if L.Get(3) != glua.LTrue {
			value = wantText(L, L.Get(3))
		}
		must(L, v.edit(L, func(s *offer.Stream) error { return s.SetAttr(name, value) }))
	}
	return 0
}

func removeStream(L *glua.LState) int {
	must(L, self[streamView](L, "stream").edit(L, func(s *offer.Stream) error {
		s.Remove()
		return nil
	}))
	return 0
}
