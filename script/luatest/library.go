package luatest

import (
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/message"
	"legwork/script"
	"legwork/script/lua"
)

// library is b2b.test in one VM: what a test's file declares, and, while a
// test runs, its stage.
type library struct {
	vm    *script.Rehearsal
	stage *stage
	tests []declared
	runs  bool            // a test runs
	at    *glua.LState    // where a test lets things happen
	match *glua.LFunction // string.match
	pcall *glua.LFunction
	calls *lua.Class[*call]
	legs  *lua.Class[*leg]
}

// declared is one t.it.
type declared struct {
	name string
	line int
	fn   *glua.LFunction
}

// maxTests bounds the tests of one file.
const maxTests = 10_000

// openLibrary prepares a VM in which require "b2b.test" works.
func openLibrary(s *stage, compiled *lua.Compiled) (*library, error) {
	l := &library{vm: s.policy.Rehearse(), stage: s}
	s.answer = l.answer
	l.vm.VM().Provide("b2b.test", l.open)
	for _, want := range []struct {
		code string
		into **glua.LFunction
	}{{"return string.match", &l.match}, {"return pcall", &l.pcall}} {
		proto, err := compiled.Compile(want.code, []byte(want.code))
		if err != nil {
			return nil, err
		}
		err = l.run(l.vm.VM().Function(proto), func(v glua.LValue) { *want.into, _ = v.(*glua.LFunction) })
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// budget is what a test's file and each test may use; time is virtual, so
// instructions alone end a loop.
var budget = lua.Limits{Instructions: 20_000_000, Memory: 1 << 30, Deadline: 10 * 366 * 24 * time.Hour}

func (l *library) run(fn *glua.LFunction, result func(glua.LValue)) error {
	run := lua.Run{Hook: "a test", Limits: budget}
	return l.vm.VM().Call(&run, fn, nil, func(_ *glua.LState, v glua.LValue) error {
		if result != nil {
			result(v)
		}
		return nil
	})
}

// open makes the table t.
func (l *library) open(L *glua.LState) glua.LValue {
	l.calls = lua.NewClass(L, "call", lua.ClassDef[*call]{Methods: map[string]glua.LGFunction{
		"a": l.callerLeg, "b": l.calleeLeg, "attempts": l.attempts, "final": l.finalOfCall,
	}})
	l.legs = lua.NewClass(L, "leg", lua.ClassDef[*leg]{Methods: map[string]glua.LGFunction{
		"send": l.send, "received": l.received, "final": l.final,
	}})
	t := L.NewTable()
	lua.Register(L, t, map[string]glua.LGFunction{
		"it": l.it, "stub": l.stub, "decision": l.decision, "wire": l.wire, "invite": l.invite, "request": l.request, "advance": l.advance, "eq": equal, "ok": truthy, "match": l.matches, "raises": l.raises, "leaks": l.leaks,
	})
	return lua.ReadOnly(L, "b2b.test", t)
}

// it is t.it(name, fn).
func (l *library) it(L *glua.LState) int {
	name, ok := L.Get(1).(glua.LString)
	fn, isFunction := L.Get(2).(*glua.LFunction)
	switch {
	case !ok || !isFunction || fn.IsG:
		lua.RaiseAt(L, "t.it(name, fn): want a string and a function, got %s and %s", kindOf(L.Get(1)), kindOf(L.Get(2)))
	case l.runs:
		lua.RaiseAt(L, "t.it within a test: tests stand side by side")
	case len(l.tests) >= maxTests:
		lua.RaiseAt(L, "a file holds at most %d tests", maxTests)
	}
	_, line := lua.Where(L)
	l.tests = append(l.tests, declared{strings.Join(strings.Fields(string(name)), " "), line, fn})
	return 0
}

// within refuses what has no stage outside of a test.
func (l *library) within(L *glua.LState, what string) {
	if !l.runs {
		lua.RaiseAt(L, "%s belongs into a test: t.it(\"...\", function() ... end)", what)
	}
}

// invite is t.invite{...}.
func (l *library) invite(L *glua.LState) int { return l.begin(L, "t.invite", invitationOf) }

// request is t.request{...}.
func (l *library) request(L *glua.LState) int { return l.begin(L, "t.request", requestOf) }

func (l *library) begin(L *glua.LState, what string, read func(*glua.LState) invitation) int {
	l.within(L, what)
	l.at = L
	c, err := l.stage.invite(read(L))
	if err != nil {
		lua.RaiseAt(L, "%s: %s", what, err.Error())
	}
	L.Push(l.calls.New(L, c))
	return 1
}

// advance is t.advance(seconds).
func (l *library) advance(L *glua.LState) int {
	l.within(L, "t.advance")
	n, ok := lua.ToNumber(L.Get(1))
	if !ok || !(n >= 0) || n > maxAdvance {
		lua.RaiseAt(L, "t.advance(seconds): want seconds, at most a year, got %s", kindOf(L.Get(1)))
	}
	l.at = L
	l.stage.pass(time.Duration(n * float64(time.Second)))
	return 0
}

func (l *library) callerLeg(L *glua.LState) int {
	L.Push(l.legs.New(L, l.calls.Check(L, 1).a))
	return 1
}

// calleeLeg is c:b(n), the n-th INVITE of the call.
func (l *library) calleeLeg(L *glua.LState) int {
	c := l.calls.Check(L, 1)
	n := wholeOf(L, L.Get(2), "c:b(n)", 1, maxCalls)
	c.stage.mu.Lock()
	came := len(c.b)
	var one *leg
	if n <= came {
		one = c.b[n-1]
	}
	c.stage.mu.Unlock()
	if one == nil {
		lua.RaiseAt(L, "c:b(%d): %s", n, attemptsOf(came))
	}
	L.Push(l.legs.New(L, one))
	return 1
}

func attemptsOf(n int) string {
	switch n {
	case 0:
		return "no callee was invited"
	case 1:
		return "only one callee was invited"
	}
	return "only " + glua.LNumber(n).String() + " callees were invited"
}

func (l *library) attempts(L *glua.LState) int {
	c := l.calls.Check(L, 1)
	c.stage.mu.Lock()
	defer c.stage.mu.Unlock()
	L.Push(glua.LNumber(len(c.b)))
	return 1
}

// send is leg:send(code or method[, headers[, body]]).
func (l *library) send(L *glua.LState) int {
	one := l.legs.Check(L, 1)
	l.at = L
	c := contentOf(L, L.Get(3), L.Get(4))
	var err error
	switch what := code(L.Get(2)).(type) {
	case glua.LNumber:
		err = one.reply(wholeOf(L, what, one.name+":send(code)", 100, 699), c)
	case glua.LString:
		if !message.IsToken(string(what)) {
			lua.RaiseAt(L, "send: %q is not a method", string(what))
		}
		err = one.request(string(what), c)
	default:
		lua.RaiseAt(L, "send(code or method[, headers[, body]]): got %s", kindOf(what))
	}
	if err != nil {
		lua.RaiseAt(L, "send: %s", err.Error())
	}
	return 0
}

// code makes a number of "180"; other strings are methods.
func code(v glua.LValue) glua.LValue {
	if n, ok := lua.ToNumber(v); ok {
		return glua.LNumber(n)
	}
	return v
}

// received is leg:received([method or code]).
func (l *library) received(L *glua.LState) int {
	one := l.legs.Check(L, 1)
	method, status := "", 0
	switch what := code(L.Get(2)).(type) {
	case *glua.LNilType:
	case glua.LString:
		method = string(what)
	default:
		status = wholeOf(L, what, "received", 100, 699)
	}
	one.stage.mu.Lock()
	m := one.received(method, status)
	one.stage.mu.Unlock()
	l.show(L, one, m)
	return 1
}

// final is c:a():final().
func (l *library) final(L *glua.LState) int {
	one := l.legs.Check(L, 1)
	if one.name != "a" {
		lua.RaiseAt(L, "final is what the caller got: c:a():final(); what a callee got is c:b(n):received()")
	}
	return l.showFinal(L, one)
}

// finalOfCall is c:final(), the same.
func (l *library) finalOfCall(L *glua.LState) int { return l.showFinal(L, l.calls.Check(L, 1).a) }

func (l *library) showFinal(L *glua.LState, one *leg) int {
	one.stage.mu.Lock()
	m := one.final()
	one.stage.mu.Unlock()
	l.show(L, one, m)
	return 1
}

// show pushes a message, or nil.
func (l *library) show(L *glua.LState, one *leg, m *message.Message) {
	if m == nil {
		L.Push(glua.LNil)
		return
	}
	L.Push(l.vm.Message(L, m, one.source))
}
