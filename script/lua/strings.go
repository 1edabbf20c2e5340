package lua

import (
	"math"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// stringLibrary is PUC Lua's, with bounds: a pattern has a step budget, and
// what functions make counts as the run's memory.
func stringLibrary(L *glua.LState) *glua.LTable {
	lib := L.NewTable()
	Register(L, lib, map[string]glua.LGFunction{
		"byte": stringByte, "char": stringChar, "find": stringFind, "format": stringFormat,
		"gfind": stringGmatch, "gmatch": stringGmatch, "gsub": stringGsub, "len": stringLen, "lower": stringLower,
		"match": stringMatch, "rep": stringRep, "reverse": stringReverse, "sub": stringSub, "upper": stringUpper,
	})
	return lib
}

// pushString counts and returns a string.
func pushString(L *glua.LState, s string) int {
	Charge(L, len(s))
	L.Push(glua.LString(s))
	return 1
}

// checkString is L.CheckString with our numbers.
func checkString(L *glua.LState, n int) string {
	switch v := L.Get(n).(type) {
	case glua.LString:
		return string(v)
	case glua.LNumber:
		return toText(v)
	}
	return L.CheckString(n)
}

// checkInt takes what PUC Lua takes: numbers and strings that look like one.
func checkInt(L *glua.LState, n int) int { return clampInt(checkNumber(L, n)) }

func optInt(L *glua.LState, n, otherwise int) int {
	if L.Get(n) == glua.LNil {
		return otherwise
	}
	return checkInt(L, n)
}

func checkNumber(L *glua.LState, n int) float64 {
	switch v := L.Get(n).(type) {
	case glua.LNumber:
		return float64(v)
	case glua.LString:
		if f, ok := parseNumber(string(v)); ok {
			return f
		}
	}
	return float64(L.CheckNumber(n))
}

func clampInt(f float64) int {
	switch {
	case f != f:
		return 0
	case f > math.MaxInt32:
		return math.MaxInt32
	case f < math.MinInt32:
		return math.MinInt32
	}
	return int(f)
}

// span turns Lua's positions (from 1, negative from the end) into s[i:j].
func span(length, from, to int) (i, j int) {
	if from < 0 {
		from = max(length+from+1, 1)
	}
	if to < 0 {
		to = length + to + 1
	}
	from, to = max(from, 1), min(to, length)
	if from > to {
		return 0, 0
	}
	return from - 1, to
}

func stringByte(L *glua.LState) int {
	s := checkString(L, 1)
	from := optInt(L, 2, 1)
	i, j := span(len(s), from, optInt(L, 3, from))
	if j-i > maxResults {
		RaiseAt(L, "string slice too long")
	}
	for _, c := range []byte(s[i:j]) {
		L.Push(glua.LNumber(c))
	}
	return j - i
}

func stringChar(L *glua.LState) int {
	buf := make([]byte, L.GetTop())
	for i := range buf {
		c := checkInt(L, i+1)
		if c < 0 || c > 255 {
			L.ArgError(i+1, "invalid value")
		}
		buf[i] = byte(c)
	}
	return pushString(L, string(buf))
}

func stringLen(L *glua.LState) int {
	L.Push(glua.LNumber(len(checkString(L, 1))))
	return 1
}

func stringLower(L *glua.LState) int { return mapBytes(L, 'A', 'Z') }
func stringUpper(L *glua.LState) int { return mapBytes(L, 'a', 'z') }

// mapBytes swaps the case of letters between from and to, byte by byte.
func mapBytes(L *glua.LState, from, to byte) int {
	s := checkString(L, 1)
	Charge(L, len(s))
	buf := []byte(s)
	for i, c := range buf {
		if from <= c && c <= to {
			buf[i] = c ^ 0x20
		}
	}
	L.Push(glua.LString(buf))
	return 1
}

func stringRep(L *glua.LState) int {
	s, n := checkString(L, 1), max(checkInt(L, 2), 0)
	if len(s) > 0 && n > math.MaxInt32/len(s) {
		n = math.MaxInt32 / len(s)
	}
	Charge(L, len(s)*n)
	L.Push(glua.LString(strings.Repeat(s, n)))
	return 1
}

func stringReverse(L *glua.LState) int {
	s := checkString(L, 1)
	Charge(L, len(s))
	buf := make([]byte, len(s))
	for i := range len(s) {
		buf[len(s)-1-i] = s[i]
	}
	L.Push(glua.LString(buf))
	return 1
}

func stringSub(L *glua.LState) int {
	s := checkString(L, 1)
	i, j := span(len(s), checkInt(L, 2), optInt(L, 3, -1))
	L.Push(glua.LString(s[i:j]))
	return 1
}

func stringFind(L *glua.LState) int  { return search(L, true) }
func stringMatch(L *glua.LState) int { return search(L, false) }

// search is find and match.
func search(L *glua.LState, find bool) int {
	s, pat := checkString(L, 1), checkString(L, 2)
	init := optInt(L, 3, 1)
	if init < 0 {
		init = max(len(s)+init+1, 1)
	}
	init = max(init, 1) - 1
	if init > len(s) {
		// PUC Lua 5.1 looks at the end then.
		init = len(s)
	}
	if find && (glua.LVAsBool(L.Get(4)) || !strings.ContainsAny(pat, "^$*+?.([%-")) {
		return findPlain(L, s, pat, init)
	}
	anchored := strings.HasPrefix(pat, "^")
	m := newMatcher(s, strings.TrimPrefix(pat, "^"))
	start, end := -1, -1
	m.run(L, func() { start, end = m.find(init, anchored) })
	if start < 0 {
		L.Push(glua.LNil)
		return 1
	}
	if !find {
		return m.push(L, start, end)
	}
	L.Push(glua.LNumber(start + 1))
	L.Push(glua.LNumber(end))
	if m.level == 0 {
		return 2
	}
	return 2 + m.push(L, start, end)
}

func findPlain(L *glua.LState, s, pat string, init int) int {
	spend(L, (len(s)-init)>>6)
	at := strings.Index(s[init:], pat)
	if at < 0 {
		L.Push(glua.LNil)
		return 1
	}
	L.Push(glua.LNumber(init + at + 1))
	L.Push(glua.LNumber(init + at + len(pat)))
	return 2
}

// run turns a matcher's panics into Lua errors. The steps it takes count as
// instructions too.
func (m *matcher) run(L *glua.LState, match func()) {
	before := m.steps
	m.depth = 0
	defer func() {
		p := recover()
		spend(L, (before-m.steps)>>2)
		if p == nil {
			return
		}
		switch p := p.(type) {
		case patternError:
			RaiseAt(L, "%s", string(p))
		case outOfSteps:
			if t := taskOf(L); t != nil {
				t.stop(ErrPattern, "stopped: a pattern took more than %d steps", allowance(m.src))
			}
			RaiseAt(L, "a pattern took more than %d steps", allowance(m.src))
		}
		panic(p)
	}()
	match()
}

// push pushes the captures, or the whole match when there are none.
func (m *matcher) push(L *glua.LState, start, end int) int {
	for i := range max(m.level, 1) {
		L.Push(m.capture(L, i, start, end))
	}
	return max(m.level, 1)
}

func (m *matcher) capture(L *glua.LState, i, start, end int) glua.LValue {
	if i >= m.level {
		if i != 0 {
			RaiseAt(L, "invalid capture index")
		}
		return glua.LString(m.src[start:end])
	}
	switch c := m.captures[i]; c.len {
	case capturePosition:
		return glua.LNumber(c.start + 1)
	case captureOpen:
		RaiseAt(L, "unfinished capture")
		return glua.LNil
	default:
		return glua.LString(m.src[c.start : c.start+c.len])
	}
}

func stringGmatch(L *glua.LState) int {
	// A ^ is an ordinary character here, as in PUC Lua 5.1: it matches nothing
	// twice.
	m := newMatcher(checkString(L, 1), checkString(L, 2))
	Charge(L, 600)
	at := 0
	L.Push(L.NewFunction(Protect(func(L *glua.LState) int {
		if at > len(m.src) {
			L.Push(glua.LNil)
			return 1
		}
		start, end := -1, -1
		m.steps = allowance(m.src)
		m.run(L, func() { start, end = m.find(at, false) })
		if start < 0 {
			at = len(m.src) + 1
			L.Push(glua.LNil)
			return 1
		}
		at = end
		if end == start {
			at++
		}
		return m.push(L, start, end)
	})))
	return 1
}
