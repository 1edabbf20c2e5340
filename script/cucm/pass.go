package cucm

import (
	"errors"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

// maxPassed bounds what one message passes through.
const maxPassed = 64

// PassThrough is what an inbound message gives to the message that it causes on
// the other leg. It is written by one run, and read only afterwards.
type PassThrough struct{ items []item }

// item is one edit of that message, and the line that asked for it.
type item struct {
	edit func(m Message) error
	file string
	line int
}

func (p *PassThrough) orNil() *PassThrough {
	if p == nil || len(p.items) == 0 {
		return nil
	}
	return p
}

// Apply edits the message. What asks for a header that it has not, or for one that
// the engine owns, is passed over.
func (p *PassThrough) Apply(m Message) error {
	for _, one := range p.items {
		m.At(func() (string, int) { return one.file, one.line })
		if err := one.edit(m); err != nil && !errors.Is(err, ErrOwned) {
			return &lua.Error{File: one.file, Line: one.line, Msg: "pass through: " + err.Error()}
		}
	}
	return nil
}

// getPassThrough is msg:getPassThrough().
func getPassThrough(L *glua.LState) int {
	v := self(L)
	if !v.inbound {
		lua.RaiseAt(L, "getPassThrough: an outbound message causes no other; call it in an inbound handler")
	}
	if v.pass == nil {
		v.pass = &PassThrough{}
	}
	lua.Charge(L, 64)
	L.Push(v.script.classes.pass.New(L, v.pass))
	return 1
}

func passDef() lua.ClassDef[*PassThrough] {
	return lua.ClassDef[*PassThrough]{Methods: map[string]glua.LGFunction{
		"addHeader": func(L *glua.LState) int {
			name, text := wantText(L, 2), wantText(L, 3)
			return pass(L, func(m Message) error {
				if slices.Contains(m.Read().All(name), text) { // it crossed by itself
					return nil
				}
				return m.AddHeader(name, text)
			})
		},
		"addHeaderValueParameter": func(L *glua.LState) int {
			header, name, text := wantText(L, 2), wantText(L, 3), mayText(L, 4)
			must(L, checkParam(name, text))
			return pass(L, func(m Message) error { return setValueParam(m, header, name, text) })
		},
		"addHeaderUriParameter": func(L *glua.LState) int {
			header, name, text := wantText(L, 2), wantText(L, 3), mayText(L, 4)
			must(L, checkParam(name, text))
			return pass(L, func(m Message) error { return setHeaderURIParam(m, header, name, text) })
		},
		"addRequestUriParameter": func(L *glua.LState) int {
			name, text := wantText(L, 2), mayText(L, 3)
			must(L, checkParam(name, text))
			return pass(L, func(m Message) error {
				if !m.Read().IsRequest() {
					return nil
				}
				return m.SetURI(setURIParam(m.Read().URI, name, text))
			})
		},
		"addContentBody": func(L *glua.LState) int {
			one := wantPart(L)
			return pass(L, func(m Message) error { return addPart(m, one) })
		},
	}}
}

// pass notes one edit. It is counted as memory of the run.
func pass(L *glua.LState, edit func(m Message) error) int {
	ud, _ := L.Get(1).(*glua.LUserData)
	if ud == nil {
		lua.RaiseAt(L, "a pass through object expected, got %s; call its methods with a colon", L.Get(1).Type())
	}
	p, ok := ud.Value.(*PassThrough)
	switch {
	case !ok:
		lua.RaiseAt(L, "a pass through object expected; call its methods with a colon")
	case len(p.items) == maxPassed:
		lua.RaiseAt(L, "one message passes at most %d things through", maxPassed)
	}
	lua.Charge(L, 128)
	file, line := lua.Where(L)
	p.items = append(p.items, item{edit, file, line})
	return 0
}
