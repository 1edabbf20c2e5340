// Package cucm runs scripts that were written for SIP normalization and
// transparency of Cisco Unified Communications Manager: message handlers, and
// the objects that Cisco's developer guide describes (sipMessage, pass through,
// sipUtils, trace, scriptParameters, the SDP functions of strings).
//
// It knows no call and no trunk. Whoever runs a handler gives it a Message,
// which refuses what the engine owns, and keeps the Context and the PassThrough
// of the leg.
//
// Start with Load and Script.Run; handler.go says which handler is whose.
package cucm

import (
	"context"
	"errors"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/script/lua"
)

// Message is the message that a handler is given. Its edits refuse what may not
// be written, with an error, which is ErrOwned for what the engine writes.
type Message interface {
	Read() *message.Message
	SetHeader(name string, values ...string) error // none: removes it
	AddHeader(name, value string) error
	SetURI(uri string) error
	SetStatus(code int, reason string) error // 0, "": as it is
	SetBody(body, contentType string) error  // "": none, and no type
	// At says which line of the script the edits that follow are from.
	At(where func() (file string, line int))
}

// Config is what one script is loaded with.
type Config struct {
	File  string // for errors
	Proto *glua.FunctionProto
	// Params are what scriptParameters.getValue gives: "" is one without a value.
	Params map[string]string
	Rand   func() float64
	// Trace writes a line of trace.format while the script has tracing enabled.
	Trace func(L *glua.LState, line string)
	Cover *lua.Coverage // nil: not noted
}

// ErrOwned is an edit of what belongs to the engine. The handler goes on without
// it.
var ErrOwned = errors.New("belongs to the engine")

// Script is one script in a VM of its own: its globals are seen by no other
// script, and last as long as the VM. Only trace and noted belong to the VM's
// lock; all else no longer changes once it is loaded.
type Script struct {
	cfg      Config
	vm       *lua.VM
	handlers []Handler
	classes  classes
	trace    bool
	noted    map[string]bool // lines whose edits are passed over
}

type classes struct {
	message *lua.Class[*sipMessage]
	uri     *lua.Class[*sipURI]
	pass    *lua.Class[*PassThrough]
}

// Load runs the main part of a script. Warnings are handlers that never run.
func Load(ctx context.Context, cfg Config, limits lua.Limits) (s *Script, warnings []lua.Problem, err error) {
	s = &Script{cfg: cfg, noted: map[string]bool{}}
	s.vm = lua.NewVM(lua.Config{
		Rand: func(*glua.LState) float64 { return cfg.Rand() }, Print: s.print, Strings: sdpFunctions(), Open: true, Cover: cfg.Cover,
		Libraries: map[string]func(*glua.LState) glua.LValue{
			"sipUtils": s.parsing, "trace": s.tracing, "scriptParameters": s.parameters,
		},
		Globals: []string{"sipUtils", "trace", "scriptParameters"},
	})
	s.vm.Do(func(L *glua.LState) {
		s.classes = classes{
			message: lua.NewClass(L, "sipMessage", messageDef()), uri: lua.NewClass(L, "sipUri", uriDef()),
			pass: lua.NewClass(L, "passThrough", passDef()),
		}
	})
	run := lua.Run{Ctx: ctx, Hook: "the main part of a script", Limits: limits}
	err = s.vm.Call(&run, s.vm.Function(cfg.Proto), nil, func(_ *glua.LState, v glua.LValue) (err error) {
		s.handlers, warnings, err = handlersOf(cfg.File, v)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for _, p := range lua.Undefined(cfg.Proto, s.vm.Globals()) {
		p.Msg += "; it is nil"
		warnings = append(warnings, p)
	}
	return s, warnings, nil
}

// Dead says whether a run went over its limits: the script is to be loaded anew.
func (s *Script) Dead() bool { return s.vm.Dead() }

// Handlers are those that the script has, the most specific first.
func (s *Script) Handlers() []Handler { return s.handlers }

// Context is what a script keeps of one leg: its getContext. It is empty when
// the script had to be loaded anew.
type Context struct {
	of    *Script
	table *glua.LTable
}

// Outcome is what a handler has said besides its edits.
type Outcome struct {
	Pass  *PassThrough // for the message of the other leg; nil: nothing
	Block bool         // an inbound 18X is to be as if it had not come
}

// Run runs a handler. On an error its edits are the caller's to take back.
func (s *Script) Run(run *lua.Run, h *Handler, msg Message, keep *Context) (Outcome, error) {
	view := &sipMessage{script: s, msg: msg, keep: keep, inbound: h.Side == Inbound}
	err := s.vm.Call(run, h.fn,
		func(L *glua.LState) int {
			L.Push(s.classes.message.New(L, view))
			return 1
		},
		func(*glua.LState, glua.LValue) error {
			view.over = true
			return nil
		})
	if err != nil {
		s.vm.Do(func(*glua.LState) { view.over = true })
		return Outcome{}, err
	}
	return Outcome{Pass: view.pass.orNil(), Block: view.block}, nil
}

// parameters is the library scriptParameters.
func (s *Script) parameters(L *glua.LState) glua.LValue {
	lib := L.NewTable()
	lua.Register(L, lib, map[string]glua.LGFunction{"getValue": func(L *glua.LState) int {
		if value, ok := s.cfg.Params[wantText(L, 1)]; ok {
			L.Push(glua.LString(value))
		} else {
			L.Push(glua.LNil)
		}
		return 1
	}})
	return lua.ReadOnly(L, "scriptParameters", lib)
}

// tracing is the library trace.
func (s *Script) tracing(L *glua.LState) glua.LValue {
	lib := L.NewTable()
	lua.Register(L, lib, map[string]glua.LGFunction{
		"enable":  func(*glua.LState) int { s.trace = true; return 0 },
		"disable": func(*glua.LState) int { s.trace = false; return 0 },
		"format":  s.format,
	})
	return lua.ReadOnly(L, "trace", lib)
}

// format is trace.format(format, ...), which writes nothing while tracing is
// disabled. One text alone is written as it is; a nil is shown as one.
func (s *Script) format(L *glua.LState) int {
	n := L.GetTop()
	switch {
	case !s.trace:
	case n < 2:
		s.print(L, L.ToStringMeta(L.Get(1)).String())
	default:
		L.Push(L.GetField(glua.LString(""), "format"))
		for i := 1; i <= n; i++ {
			arg := L.Get(i)
			if arg.Type() != glua.LTNumber {
				arg = L.ToStringMeta(arg)
			}
			L.Push(arg)
		}
		L.Call(n, 1)
		s.print(L, L.Get(-1).String())
	}
	return 0
}

func (s *Script) print(L *glua.LState, line string) {
	if s.cfg.Trace != nil {
		s.cfg.Trace(L, line)
	}
}

// wantText is an argument that is a text, or a number.
func wantText(L *glua.LState, n int) string {
	switch v := L.Get(n).(type) {
	case glua.LString:
		return string(v)
	case glua.LNumber:
		return v.String()
	}
	lua.RaiseAt(L, "argument %d is %s; want a string", n-1, L.Get(n).Type())
	return ""
}

// mayText is one that may be left out.
func mayText(L *glua.LState, n int) string {
	if L.Get(n) == glua.LNil {
		return ""
	}
	return wantText(L, n)
}

func must(L *glua.LState, err error) {
	if err != nil {
		lua.RaiseAt(L, "%v", err)
	}
}

// pushText counts and returns a text.
func pushText(L *glua.LState, s string) int {
	lua.Charge(L, len(s))
	L.Push(glua.LString(s))
	return 1
}

func pushNil(L *glua.LState) int {
	L.Push(glua.LNil)
	return 1
}
