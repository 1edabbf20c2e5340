package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// script is a VM that prints into out.
type script struct {
	*VM
	t   testing.TB
	out *strings.Builder
}

func newScript(t testing.TB, cfg Config) *script {
	t.Helper()
	s := &script{t: t, out: &strings.Builder{}}
	cfg.Print = func(_ *glua.LState, line string) { s.out.WriteString(line + "\n") }
	s.VM = NewVM(cfg)
	return s
}

func (s *script) function(src string) *glua.LFunction {
	s.t.Helper()
	proto, err := Compile("main.lua", []byte(src))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.Function(proto)
}

// run runs a chunk and gives what it printed.
func (s *script) run(run Run, src string) (string, error) {
	s.t.Helper()
	s.out.Reset()
	if run.Deadline == 0 && !run.MayWait {
		run.Deadline = time.Minute
	}
	err := s.Call(&run, s.function(src), nil, nil)
	return s.out.String(), err
}

// runs plays a chunk that must not fail.
func runs(t testing.TB, src string) string {
	t.Helper()
	s := newScript(t, Config{})
	out, err := s.run(Run{}, src)
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	return out
}

// failure plays a chunk that must fail.
func failure(t testing.TB, src string) *Error {
	t.Helper()
	s := newScript(t, Config{})
	_, err := s.run(Run{}, src)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error, in\n%s", err, src)
	}
	return e
}

func TestErrorNamesFileLineAndTraceback(t *testing.T) {
	e := failure(t, "local function f(x)\n  return x.y\nend\nlocal z = f(nil)\nreturn z")
	if e.File != "main.lua" || e.Line != 2 || !strings.Contains(e.Traceback, "main.lua:4") {
		t.Fatalf("%+v", e)
	}
	if e := failure(t, "\nlocal function f() error('bad', 2) end\nlocal x = 1\nf()\nlocal y"); e.Error() != "main.lua:4: bad" {
		t.Fatal(e)
	}
}

func TestInstructionBudgetIsExactAndSticky(t *testing.T) {
	s := newScript(t, Config{})
	_, err := s.run(Run{Limits: Limits{Instructions: 1000}}, "local n = 0\nwhile true do\n  pcall(function() while true do n = n + 1 end end)\nend")
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrInstructions) || e.Limit != "instructions" || e.Line != 3 {
		t.Fatalf("%+v", err)
	}
	if !s.Dead() {
		t.Fatal("the VM lives")
	}
	if err := s.Call(&Run{}, s.function(""), nil, nil); !errors.Is(err, ErrDead) {
		t.Fatal(err)
	}
	// The main chunk's only instruction is its return.
	s = newScript(t, Config{})
	if _, err := s.run(Run{Limits: Limits{Instructions: 1}}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(Run{Limits: Limits{Instructions: 1}}, "local a = 1"); !errors.Is(err, ErrInstructions) {
		t.Fatal(err)
	}
}

func TestMemoryBombsAreStopped(t *testing.T) {
	for name, src := range map[string]string{
		"doubling":       "local s = 'x' while true do s = s .. s end",
		"wide doubling":  "local s = ('x'):rep(1000) while true do s = s..s..s..s..s..s..s..s..s..s..s..s end",
		"in pcall":       "local s = 'x' while true do pcall(function() s = s .. s end) end",
		"rep":            "local s = ('x'):rep(5e9)",
		"rep of rep":     "local s = 'xxxxxxxx' for i = 1, 99 do s = s:rep(1000) end",
		"append":         "while true do local t = {} for i = 1, 60000 do t[#t + 1] = i end end",
		"insert":         "while true do local t = {} for i = 1, 60000 do table.insert(t, 1) end end",
		"string keys":    "local t = {} local i = 1 while true do t['k' .. i] = i i = i + 1 end",
		"sparse":         "local all = {} for i = 1, 1e9 do local t = {} t[65000] = 1 all[i] = t end",
		"constructors":   "local t while true do t = { t } end",
		"sparse literal": "local all = {} for i = 1, 1e9 do all[i] = {[65000] = i} end",
		"sparse key":     "local all = {} local k = 65000 for i = 1, 1e9 do all[i] = {[k] = i} end",
		"metatable":      "while true do local t = setmetatable({}, {}) for i = 1, 60000 do t[i] = i end end",
		"multiple":       "while true do local t, u = {}, {} for i = 1, 60000 do t[i], u[i] = i, i end end",
		"concat":         "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1000) end while true do t[1] = table.concat(t) end",
		"gsub":           "local s = 'xxxx' while true do s = s:gsub('x', '%0%0%0%0%0%0%0%0%0') end",
		"format":         "local s = 'x' while true do s = string.format('%s%s%s', s, s, s) end",
		"upper":          "local s = ('x'):rep(1e6) while true do s = s:upper() end",
		"unpack":         "local t = {} for i = 1, 5000 do t[i] = i end local u while true do u = {u, unpack(t)} end",
		"varargs":        "local function f(...) return {...} end local t = {} for i = 1, 5000 do t[i] = i end while true do t.x = f(unpack(t)) end",
		"upvalue":        "local s = 'x' local function f() s = s .. s return f() end f()",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, Config{})
			_, err := s.run(Run{Limits: Limits{Instructions: 1 << 40}}, src)
			var e *Error
			if !errors.As(err, &e) || !errors.Is(e, ErrMemory) || e.Limit != "memory" || e.Line != 1 || !strings.Contains(e.Msg, "limit of 16777216 bytes") {
				t.Fatalf("%+v", err)
			}
		})
	}
}

func TestListThatIsTooLongIsAnError(t *testing.T) {
	for _, src := range []string{
		"local t = {} for i = 1, 1e5 do t[i] = 1 end",
		"local t = {} for i = 1, 1e5 do t[#t + 1] = 1 end",
		"local t = {} for i = 1, 1e5 do table.insert(t, 1) end",
	} {
		if e := failure(t, src); e.Msg != "a list holds at most 65535 values" || e.Limit != "" {
			t.Errorf("%v\n%s", e, src)
		}
	}
}

func TestNothingCostsNothing(t *testing.T) {
	runs(t, `
for i = 1, 20000 do
  local t = {}
  t[60000] = nil
  table.insert(t, 60000, nil)
  t.x = #t
end`)
}

func TestCostlyLibraryCallsAreStopped(t *testing.T) {
	for _, src := range []string{
		"local x = ('a'):rep(400):find('.*.*.*x')",
		"local x = ('a'):rep(100000):gsub('.-b', '')",
		"for w in ('a'):rep(100000):gmatch('.*.*b') do end",
		"while true do pcall(string.match, ('a'):rep(4000), '.-.-.-.-b') end",
	} {
		if e := failure(t, src); !errors.Is(e, ErrPattern) || e.Limit != "pattern" || e.File != "main.lua" {
			t.Fatalf("%+v\n%s", e, src)
		}
	}
	for _, src := range []string{
		"while true do table.concat({}, '', 1e9, 1) end",
		"local t = {} while true do table.insert(t, 1e9, 1) end",
		"while true do pcall(table.insert, {}, -1e9, 1) end",
		"local t = {} for i = 1, 6e4 do t[i] = i end while true do table.sort(t) end",
		"local t = {} for i = 1, 6e4 do t[i] = i end while true do table.remove(t, 1) t[#t + 1] = 1 end",
	} {
		if e := failure(t, src); !errors.Is(e, ErrInstructions) && !errors.Is(e, ErrMemory) {
			t.Fatalf("%+v\n%s", e, src)
		}
	}
	// Many cheap ones use up the instructions.
	if e := failure(t, "local s = ('a'):rep(300) while true do s:find('.*b') end"); !errors.Is(e, ErrInstructions) {
		t.Fatal(e)
	}
}

func TestDeadlineStopsAComputation(t *testing.T) {
	s := newScript(t, Config{})
	_, err := s.run(Run{Limits: Limits{Instructions: 1 << 40, Deadline: time.Millisecond}}, "while true do end")
	if !errors.Is(err, ErrDeadline) || !s.Dead() {
		t.Fatal(err)
	}
}

func TestCancelStopsAComputationAndLeavesTheVM(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newScript(t, Config{Libraries: map[string]func(*glua.LState) glua.LValue{
		"cancel": func(L *glua.LState) glua.LValue {
			return L.NewFunction(func(*glua.LState) int { cancel(); return 0 })
		},
	}, Globals: []string{"cancel"}})
	_, err := s.run(Run{Ctx: ctx}, "cancel() while true do end")
	if !errors.Is(err, ErrCancelled) || s.Dead() {
		t.Fatal(err)
	}
}

func TestStackOverflowIsAnErrorOfTheScript(t *testing.T) {
	for _, src := range []string{
		"local function f() return 1 + f() end f()",
		"local function f() pcall(f) end f() f() local x = f() .. {}",
		"local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end local x = t.x",
		"local function f(a, b) return f < f end local t = setmetatable({}, {__lt = f}) local x = t < t",
	} {
		if e := failure(t, src); e.Limit != "" || errors.Is(e, ErrPanic) {
			t.Fatalf("%+v\n%s", e, src)
		}
	}
	out := runs(t, `
local function f() return 1 + f() end
print(pcall(f))
local n = 0
local function g() n = n + 1 local ok, err = pcall(g) if not ok then error(err, 0) end end
print(pcall(g))
print(n)`)
	if !strings.Contains(out, "stack overflow") {
		t.Fatal(out)
	}
}

func TestGoPanicEndsTheRunAndTheVM(t *testing.T) {
	s := newScript(t, Config{Libraries: map[string]func(*glua.LState) glua.LValue{
		"boom": func(L *glua.LState) glua.LValue {
			return L.NewFunction(Protect(func(*glua.LState) int { panic("bug") }))
		},
	}, Globals: []string{"boom"}})
	_, err := s.run(Run{}, "pcall(boom)\nprint('swallowed')")
	if !errors.Is(err, ErrPanic) || !s.Dead() || s.out.String() != "" {
		t.Fatal(err, s.out)
	}
}

func TestGlobalsAreReadOnly(t *testing.T) {
	for src, want := range map[string]string{
		"\nstrin = 1":               "main.lua:2: assignment to undeclared global 'strin', did you mean 'string'?; did you forget 'local'?",
		"local x = tostrng(1)":      "main.lua:1: undefined global 'tostrng', did you mean 'tostring'?",
		"_G.x = 1":                  "main.lua:1: assignment to undeclared global 'x'; did you forget 'local'?",
		"string.rep = nil":          "main.lua:1: string cannot be changed",
		"local s = string.uper":     "main.lua:1: string has no 'uper', did you mean 'upper'?",
		"getmetatable('').__index":  "",
		"rawset(_G, 'x', 1)":        "main.lua:1: cannot change a protected table",
		"rawset(string, 'x', 1)":    "main.lua:1: cannot change a protected table",
		"rawset({}, nil, 1)":        "main.lua:1: table index is nil",
		"setmetatable(_G, nil)":     "main.lua:1: cannot change a protected metatable",
		"setmetatable('', {})":      "",
		"setmetatable(5, {})":       "",
		"for k in pairs(string) do": "",
	} {
		if want == "" {
			continue
		}
		if e := failure(t, src); e.Error() != want {
			t.Errorf("%s: got %q, want %q", src, e, want)
		}
	}
	for _, gone := range strings.Fields("dofile loadfile load loadstring collectgarbage module newproxy setfenv getfenv _printregs io debug package coroutine channel") {
		if e := failure(t, "local x = "+gone); !strings.Contains(e.Msg, "undefined global '"+gone+"'") {
			t.Error(gone, e)
		}
	}
	if out := runs(t, "print(getmetatable(''), getmetatable(_G))"); out != "false\tfalse\n" {
		t.Error(out)
	}
}

func TestRawsetPassesAMetatableBy(t *testing.T) {
	out := runs(t, `local t = setmetatable({}, { __newindex = function() error("no") end })
print(rawset(t, "a", 1) == t, t.a, rawget(t, "a"))
rawset(t, 3, "x") rawset(t, "a", nil)
print(t.a, t[3])
math.randomseed(os.time())
print(math.random(1) )`)
	if out != "true\t1\t1\nnil\tx\n1\n" {
		t.Error(out)
	}
	if e := failure(t, "local t = {} for i = 1, 1e6 do rawset(t, 'k' .. i, i) end"); e.Limit != "memory" && e.Limit != "instructions" {
		t.Error(e, e.Limit)
	}
}

func TestRequireServesTheSnapshotOnly(t *testing.T) {
	modules := map[string]*glua.FunctionProto{}
	for name, src := range map[string]string{
		"a.lua": "return { name = ..., sub = require 'dir.b' }", "dir/b.lua": "return 'b'",
		"x.lua": "return require 'y'", "y.lua": "return require 'x'", "w.lua": "wait()",
	} {
		proto, err := Compile(name, []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		modules[name] = proto
	}
	s := newScript(t, Config{Modules: modules, Globals: []string{"wait"}, Libraries: map[string]func(*glua.LState) glua.LValue{
		"wait": func(L *glua.LState) glua.LValue { return L.NewFunction(wait(nil)) },
	}})
	out, err := s.run(Run{MayWait: true}, `
local a = require 'a'
print(a.name, a.sub, a == require 'a')
print(pcall(require, 'x'))
print(pcall(require, 'dir.c'))
print(pcall(require, 'w'))
print(pcall(require, '../secret'))`)
	want := `a	b	true
false	y.lua:1: circular require: x -> y -> x
false	module 'dir.c' not found, did you mean 'dir.b'?
false	w.lua:1: waiting is not allowed while a module is loaded
false	module '../secret' not found
`
	if err != nil || out != want {
		t.Fatalf("%v\n%s", err, out)
	}
}

// wait is a Go function that waits for a signal, or the end of its run.
func wait(signal chan struct{}) glua.LGFunction {
	return Protect(func(L *glua.LState) int {
		err := Wait(L, func(ctx context.Context) error {
			select {
			case <-signal:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		L.Push(glua.LBool(err == nil))
		return 1
	})
}

func waiter(t testing.TB, signal chan struct{}) *script {
	return newScript(t, Config{Globals: []string{"wait"}, Libraries: map[string]func(*glua.LState) glua.LValue{
		"wait": func(L *glua.LState) glua.LValue { return L.NewFunction(wait(signal)) },
	}})
}

func TestWaitingIsRefusedInAHookThatRunsAtOnce(t *testing.T) {
	s := waiter(t, nil)
	_, err := s.run(Run{Hook: "on_branch"}, "\nwait()")
	if err == nil || err.Error() != "main.lua:2: waiting is not allowed in on_branch" {
		t.Fatal(err)
	}
}

func TestManyHooksWaitInOneVM(t *testing.T) {
	const hooks = 600
	signal := make(chan struct{})
	s := waiter(t, signal)
	fn := s.function(`
local n = ...
local t = setmetatable({}, { __index = function(t, k) wait() return k end })
local sum = t[n]
pcall(function() sum = sum + t[n] error("x") end)
sum = sum + select(2, pcall(function() return t[n] end))
sum = sum + (("x"):gsub("x", function() return t[n] end))
local sorted = { 2, 1 }
table.sort(sorted, function(a, b) wait() return a < b end)
for v in function(_, c) wait() return not c and n or nil end do sum = sum + v end
return sum`)
	var waiting atomic.Int32
	var group sync.WaitGroup
	errs := make(chan error, hooks)
	for i := range hooks {
		group.Go(func() {
			waiting.Add(1)
			errs <- s.Call(&Run{MayWait: true, Limits: Limits{Deadline: time.Minute}}, fn, func(L *glua.LState) int {
				L.Push(glua.LNumber(i))
				return 1
			}, func(_ *glua.LState, v glua.LValue) error {
				if v != glua.LNumber(5*i) {
					return fmt.Errorf("hook %d got %v", i, v)
				}
				return nil
			})
		})
	}
	close(signal)
	group.Wait()
	for range hooks {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeadlineAndCancelEndAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := waiter(t, nil)
		start := time.Now()
		_, err := s.run(Run{MayWait: true}, "pcall(wait) print('no')")
		if !errors.Is(err, ErrDeadline) || time.Since(start) != 5*time.Second || s.Dead() || s.out.Len() > 0 {
			t.Fatal(err, time.Since(start), s.out)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		_, err = s.run(Run{Ctx: ctx, MayWait: true}, "wait()")
		if !errors.Is(err, ErrCancelled) || time.Since(start) != time.Second {
			t.Fatal(err, time.Since(start))
		}
		if out, err := s.run(Run{}, "print('well')"); err != nil || out != "well\n" {
			t.Fatal(out, err)
		}
	})
}

func TestWaitingHookOutlivesTheDeathOfItsVM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signal := make(chan struct{})
		s := waiter(t, signal)
		fn := s.function("return wait()")
		done := make(chan error, 1)
		go func() {
			done <- s.Call(&Run{MayWait: true}, fn, nil, func(_ *glua.LState, v glua.LValue) error {
				if v != glua.LTrue {
					return errors.New("woken too early")
				}
				return nil
			})
		}()
		synctest.Wait()
		if _, err := s.run(Run{}, "while true do end"); err == nil || !s.Dead() {
			t.Fatal(err)
		}
		close(signal)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}
