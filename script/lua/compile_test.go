package lua

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSyntaxErrorsNameTheLine(t *testing.T) {
	for src, want := range map[string]string{
		"local x = 1\nlocal y = = 2":                   "main.lua:2: syntax error near '='",
		"if x then\n\n":                                "main.lua:1: syntax error near <eof>",
		"\nlocal s = 'abc":                             "main.lua:2: unterminated string near <eof>",
		"\nbreak":                                      "main.lua:2: no loop to break",
		"\ngoto nowhere":                               "main.lua:2: no visible label 'nowhere' for <goto>",
		"goto x\nlocal a\n::x:: local b":               "main.lua:1: <goto x> jumps into the scope of a local",
		"::a::\n::a::":                                 "main.lua:2: label 'a' already defined",
		"\nlocal s = '\\0legwork..\\0'":                "main.lua:2: this string is reserved",
		"x = " + strings.Repeat("(", 3000):             "",
		"x = " + strings.Repeat("{", 3000):             "",
		"return " + strings.Repeat("- ", 5000) + "x":   "main.lua:1: nested deeper than 1000",
		"return " + strings.Repeat("x..", 300) + "'a'": "",
		"local a\nlocal function f() return a..\nend":  "main.lua:3: syntax error near 'end'",
	} {
		_, err := Compile("main.lua", []byte(src))
		var e *Error
		if !errors.As(err, &e) || e.File != "main.lua" || e.Line < 1 || want != "" && e.Error() != want {
			t.Errorf("%.40q: got %v, want %s", src, err, want)
		}
	}
}

func TestLintNamesUnknownGlobals(t *testing.T) {
	proto, err := Compile("main.lua", []byte("local M = {}\nfunction M.f(x)\n  return function() return x .. b2 end\nend\ncount = 1\nprint(b2b)\nreturn M"))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(Lint(proto, []string{"b2b", "print"}))
	want := "[main.lua:3: undefined global 'b2', did you mean 'b2b'? main.lua:5: assignment to undeclared global 'count'; did you forget 'local'?]"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestNearestNameIsSuggested(t *testing.T) {
	hooks := []string{"on_invite", "on_answer", "on_failure", "on_final"}
	for name, want := range map[string]string{"on_invit": "on_invite", "on_anwser": "on_answer", "onfinal": "on_final", "xyz": "", "": "", "on_invite": ""} {
		if got := Nearest(name, hooks); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// PUC Lua 5.1 has no goto; the expected output was checked with LuaJIT's rules.
func TestGotoKeepsClosuresAttached(t *testing.T) {
	out := runs(t, `
local total, fs = 0, {}
local function add(n) total = total + n end
for i = 1, 5 do
  local j = i * 10
  if i % 2 == 0 then goto continue end
  fs[#fs + 1] = function() j = j + 1 return i, j end
  add(i)
  ::continue::
end
print(total, fs[1](), (select(2, fs[1]())), fs[3]())
local i, gs = 1, {}
::top::
do
  local k = i
  gs[i] = function() k = k + 1 total = total + 1 return k end
  i = i + 1
  if i <= 3 then goto top end
end
print(gs[1](), gs[1](), gs[2](), gs[3](), total, i)
for a = 1, 3 do
  for b = 1, 3 do
    if b == 2 then goto next_a end
    add(100)
  end
  ::next_a::
end
print(total)
do goto done end
print("skipped")
::done::
local r = 0
repeat
  local x = r
  local f = function() return x end
  r = r + 1
  if r == 2 then goto again end
  add(f())
  ::again::
until r > 3
print(total, r)`)
	want := "9\t1\t12\t5\t51\n2\t3\t3\t4\t13\t4\n313\n318\t4\n"
	if out != want {
		t.Fatalf("got\n%s", out)
	}
}

func TestCompilerBugsAreWorkedAround(t *testing.T) {
	same(t, compilerChunk)
}

const compilerChunk = `
local f
while true do
  if true then local y = 1; f = function() return y end; break end
end
local a, b, c = 7, 8, 9
print(f(), a, b, c)
local function g()
  local n = 0
  local function inc() n = n + 1 end
  inc() pcall(error, "x") inc()
  pcall(function() local t = nil; return t.x end) inc()
  local ok = pcall(function() n = n + 10 error({}) end) inc()
  return n
end
print(g())
local function h(n) n = (not (n == "a") or n == "") and "+" .. n or n return n end
print(h("a"), h("b"), h(""))
local function k(n) local z = 5 n = (tostring(1)) return n, z end
print(k(3))
for _, v in ipairs{1, 2} do if false then end if nil then print(1) end while false do end print(v) end
local function l() if false then return 1 end return 2, 3 end
print(l())
local x, y = 1, 2
x, y = y, x print(x, y)
local t = {1, 2, 3} local i = 1
i, t[i] = i + 1, 20 print(i, t[1], t[2])
local function m(...) t.a, t.b, t.c = ... return t.a, t.b, t.c end
print(m(1, 2)) print(m(1, 2, 3, 4))
t[1], t[1] = 10, 11 print(t[1])
local e = {[1] = "a", "b", x = 1, [2 + 1] = "c", (function() return 1, 2 end)(), (function() return 1, 2 end)()}
print(e[1], e[2], e[4], #e)
print(("a" .. "b"):upper() .. #("c" .. "d") .. -1 .. 2)
local mt = setmetatable({}, {__concat = function(p, q) return "C" end})
print("x" .. mt, mt .. "y", "x" .. "y" .. mt .. "z")
print((pcall(function() return "x" .. nil end)))
print(not not nil, not (1 == 2) and 3, nil and 1 or 2, false == nil)
`

// A chunk generator for the differential test: every program ends.
type generator struct {
	*rand.Rand
	b      strings.Builder
	locals []string
	depth  int
	loops  int
}

func (g *generator) expr(depth int) string {
	if depth <= 0 || g.IntN(4) == 0 {
		atoms := append([]string{"1", "2", "0", "'a'", "''", "nil", "true", "false", "T.x", "T[1]", "#T"}, g.locals...)
		return atoms[g.IntN(len(atoms))]
	}
	l, r := g.expr(depth-1), g.expr(depth-1)
	switch g.IntN(11) {
	case 0, 1:
		return "(" + l + " and " + r + ")"
	case 2, 3:
		return "(" + l + " or " + r + ")"
	case 4:
		return "not " + l
	case 5:
		return "(" + l + " == " + r + ")"
	case 6:
		return "(S(" + l + ") .. S(" + r + "))"
	case 7:
		return "(N(" + l + ") + N(" + r + "))"
	case 8:
		return "(N(" + l + ") < N(" + r + "))"
	case 9:
		return "F(" + l + ", " + r + ")"
	}
	return "(function(...) local p = ... " + g.assigned() + " return p or " + l + ", select('#', ...) end)(" + r + ")"
}

func (g *generator) assigned() string {
	if len(g.locals) == 0 {
		return ""
	}
	return g.locals[g.IntN(len(g.locals))] + " = p "
}

func (g *generator) name() string {
	if len(g.locals) == 0 || g.IntN(3) == 0 {
		return []string{"T.x", "T.y", "T[1]", "T.z"}[g.IntN(4)]
	}
	return g.locals[g.IntN(len(g.locals))]
}

func (g *generator) block(n int) {
	saved := len(g.locals)
	g.depth++
	for range n {
		g.stmt()
	}
	g.depth--
	g.locals = g.locals[:saved]
}

func (g *generator) stmt() {
	w := func(format string, args ...any) { fmt.Fprintf(&g.b, format+"\n", args...) }
	deep := g.depth > 4
	switch k := g.IntN(14); {
	case k < 2 && len(g.locals) < 20:
		name := fmt.Sprintf("v%d", len(g.locals))
		w("local %s = %s", name, g.expr(2))
		g.locals = append(g.locals, name)
	case k < 4:
		w("%s = %s", g.name(), g.expr(3))
	case k == 4:
		w("%s, %s = %s, %s", g.name(), g.name(), g.expr(2), g.expr(2))
	case k == 5:
		w("P(%s, %s)", g.expr(2), g.expr(2))
	case k == 6:
		w("C[#C + 1] = function() %s return %s end", strings.ReplaceAll(g.assigned(), "= p", "= 7"), g.expr(2))
	case k == 7:
		w("pcall(function() %s error('x') end)", strings.ReplaceAll(g.assigned(), "= p", "= 8"))
	case deep:
		w("P(%s)", g.expr(1))
	case k == 8:
		w("if %s then", g.expr(2))
		g.block(2)
		w("elseif %s then", g.expr(2))
		g.block(1)
		w("else")
		g.block(2)
		w("end")
	case k == 9:
		w("for i = 1, 3 do local q = i C[#C + 1] = function() q = q + 1 return q end")
		g.loops++
		g.block(2)
		w("if %s then local z = q C[#C + 1] = function() z = z + i return z end break end", g.expr(2))
		g.block(1)
		g.loops--
		w("end")
	case k == 10:
		w("local n = 0 while n < 3 and %s do n = n + 1", g.expr(1))
		g.block(2)
		w("end")
	case k == 11:
		w("local n = 0 repeat n = n + 1 local u = n C[#C + 1] = function() u = u + 1 return u end")
		g.block(2)
		w("until u > 2 or %s", g.expr(2))
	case k == 12:
		w("for _, e in ipairs{%s, %s} do", g.expr(1), g.expr(1))
		g.block(2)
		w("end")
	default:
		w("do")
		g.block(3)
		w("end")
	}
}

const prelude = `
local T, C, out = {}, {}, 0
local function S(v) if type(v) == "table" or type(v) == "function" then return "t" end return (tostring(v)):sub(1, 20) end
local function N(v) return type(v) == "number" and v % 100 or 1 end
local function P(...) out = out + 1 if out < 300 then local t = {} for i = 1, select("#", ...) do t[i] = S((select(i, ...))) end print(unpack(t)) end end
local function F(a, b) return b, a end
`

const epilogue = `
for i = 1, math.min(#C, 50) do P(i, C[i]()) P(C[i]()) end
P(T.x, T.y, #T)
`

func TestProgramsDoWhatPUCLuaDoes(t *testing.T) {
	for seed := range uint64(80) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
		for range 12 {
			g.stmt()
		}
		src := prelude + "do\n" + g.b.String() + "end\n" + epilogue
		if strings.Count(src, "\n") > 2000 {
			continue
		}
		want := puc(t, src)
		s := newScript(t, Config{})
		got, err := s.run(Run{Limits: Limits{Instructions: 1 << 40}}, src)
		if err != nil || got != want {
			a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
			i := 0
			for i < min(len(a), len(b)) && a[i] == b[i] {
				i++
			}
			t.Errorf("seed %d: %v, line %d\ngot  %q\nwant %q\n%s", seed, err, i+1, slices.Concat(a, []string{"-"})[i], slices.Concat(b, []string{"-"})[i], src)
			return
		}
	}
}

func FuzzAnyBytesAsLua(f *testing.F) {
	for _, src := range []string{
		"return 1", "while true do end", "local s = 'x' while true do s = s .. s end", "::a:: goto a", "return ...",
		"local t = {} t[1], t[2] = t, t return t[1] .. ''", "for i = 1, 2 do local x = i goto c ::c:: end",
		"pcall(pcall, pcall) error()", "return ('x'):rep(9):gsub('.', '%0'):format(1)",
		"local a <const> = 1", "repeat local a = function() return a end until a", "return #{...}, -{}, not {}",
		"table.sort({3,2,1}, function() error('x') end)", "require('x')", "select(-1)", "setmetatable({}, {__index = error}).x = 1",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		proto, err := Compile("fuzz.lua", src)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 {
				t.Fatalf("%#v", err)
			}
			return
		}
		Lint(proto, nil)
		vm := NewVM(Config{})
		err = vm.Call(&Run{Limits: Limits{Instructions: 20_000, Memory: 1 << 20, Deadline: time.Minute}}, vm.Function(proto), nil, nil)
		var e *Error
		if err != nil && (!errors.As(err, &e) || errors.Is(e, ErrPanic) || errors.Is(e, ErrDeadline)) {
			t.Fatalf("%q: %v", src, err)
		}
	})
}
