package lua

import (
	"math"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// A replacer is one string.gsub.
type replacer struct {
	m    matcher
	with glua.LValue // string, table or function
	text string      // with, when it is a string
	out  []byte
}

func stringGsub(L *glua.LState) int {
	s, pat := checkString(L, 1), checkString(L, 2)
	r := &replacer{with: L.Get(3)}
	switch w := r.with.(type) {
	case glua.LString, glua.LNumber:
		r.text = toText(w)
	case *glua.LTable, *glua.LFunction:
	default:
		L.ArgError(3, "string/function/table expected")
	}
	limit := optInt(L, 4, math.MaxInt32)
	anchored := strings.HasPrefix(pat, "^")
	r.m = newMatcher(s, strings.TrimPrefix(pat, "^"))
	n := r.all(L, anchored, limit)
	L.Push(glua.LString(r.out))
	L.Push(glua.LNumber(n))
	return 2
}

func (r *replacer) all(L *glua.LState, anchored bool, limit int) (n int) {
	src, at := r.m.src, 0
	Charge(L, len(src))
	for n < limit {
		end := -1
		r.m.level = 0
		r.m.run(L, func() { end = r.m.match(at, 0) })
		if end >= 0 {
			n++
			r.add(L, at, end)
		}
		switch {
		case end > at:
			at = end
		case at < len(src):
			r.out = append(r.out, src[at])
			at++
		default:
			return n
		}
		if anchored {
			break
		}
	}
	r.out = append(r.out, src[at:]...)
	return n
}

// add appends what replaces src[start:end].
func (r *replacer) add(L *glua.LState, start, end int) {
	var value glua.LValue
	switch with := r.with.(type) {
	case *glua.LTable:
		value = L.GetTable(with, r.m.capture(L, 0, start, end))
	case *glua.LFunction:
		L.Push(with)
		n := r.m.push(L, start, end)
		L.Call(n, 1)
		value = L.Get(-1)
		L.Pop(1)
	default:
		r.expand(L, start, end)
		return
	}
	switch value := value.(type) {
	case glua.LString, glua.LNumber:
		text := toText(value)
		Charge(L, len(text))
		r.out = append(r.out, text...)
	default:
		if glua.LVAsBool(value) {
			RaiseAt(L, "invalid replacement value (a %s)", value.Type())
		}
		r.out = append(r.out, r.m.src[start:end]...)
	}
}

// expand appends the replacement text with its %0 to %9.
func (r *replacer) expand(L *glua.LState, start, end int) {
	for i := 0; i < len(r.text); i++ {
		c := r.text[i]
		if c != '%' {
			r.out = append(r.out, c)
			continue
		}
		i++
		if i >= len(r.text) {
			// PUC Lua 5.1 reads the NUL behind the text here.
			r.out = append(r.out, 0)
			return
		}
		switch d := r.text[i]; {
		case d == '0':
			r.out = append(r.out, r.m.src[start:end]...)
			Charge(L, end-start)
		case '1' <= d && d <= '9':
			text := toText(r.m.capture(L, int(d-'1'), start, end))
			r.out = append(r.out, text...)
			Charge(L, len(text))
		default:
			r.out = append(r.out, d)
		}
	}
	Charge(L, len(r.text))
}
