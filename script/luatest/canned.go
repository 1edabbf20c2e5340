package luatest

import (
	"context"
	"errors"
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/canned"
	"legwork/script/lib"
	"legwork/script/lua"
)

// stub is t.stub{...}, t.stub{{...}, {...}} or t.stub("stubs.json").
func (l *library) stub(L *glua.LState) int {
	var list []canned.Stub
	var err error
	switch v := L.Get(1).(type) {
	case *glua.LTable:
		list, err = l.readStubs(v)
	case glua.LString:
		list, err = l.readFile(string(v))
	default:
		lua.RaiseAt(L, "t.stub{http =, redis =, sql = or dns =, answer = ...}: want a table or the name of a file, got %s", kindOf(v))
	}
	if err == nil {
		err = l.stage.stubs.Add(list...)
	}
	if err != nil {
		lua.RaiseAt(L, "t.stub: %s", err.Error())
	}
	l.stage.stubbed = true
	return 0
}

func (l *library) readStubs(t *glua.LTable) ([]canned.Stub, error) {
	if t.Len() == 0 {
		one, err := l.readStub(t)
		return []canned.Stub{one}, err
	}
	var list []canned.Stub
	for i := 1; i <= t.Len(); i++ {
		row, ok := t.RawGetInt(i).(*glua.LTable)
		if !ok {
			return nil, errors.New("want a list of stubs, {{http = ..., answer = ...}, ...}")
		}
		one, err := l.readStub(row)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func (l *library) readStub(t *glua.LTable) (canned.Stub, error) {
	fields, failed := map[string]any{}, error(nil)
	var ask *glua.LFunction
	t.ForEach(func(k, v glua.LValue) {
		fn, isFunction := v.(*glua.LFunction)
		if isFunction && k.String() == "answer" {
			ask = fn
			fields["error"] = "a function answers" // stands in the place of an answer
			return
		}
		plain, err := lua.ToGo(v)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", k, err))
		}
		fields[k.String()] = plain
	})
	if failed != nil {
		return canned.Stub{}, failed
	}
	one, err := canned.Read(fields)
	if ask != nil {
		one.Err = ""
		one.Ask = func(ctx context.Context, q *lib.Question) (any, error) { return l.stage.ask(ctx, ask, q) }
	}
	return one, err
}

// readFile reads stubs beside the tests.
func (l *library) readFile(file string) ([]canned.Stub, error) {
	text, err := l.stage.beside(file, maxCapture)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	list, err := canned.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", file, err)
	}
	return list, nil
}

// asking is a look-up that a function of the test is to answer. The test's VM
// belongs to the goroutine that runs the test, so it is asked there.
type asking struct {
	fn    *glua.LFunction
	q     *lib.Question
	reply chan<- reply // has room for one
}

type reply struct {
	value any
	err   error
}

var errOver = errors.New("the test is over")

// ask waits until the test lets things happen, and for its answer.
func (s *stage) ask(ctx context.Context, fn *glua.LFunction, q *lib.Question) (any, error) {
	answered := make(chan reply, 1)
	select {
	case s.asked <- asking{fn, q, answered}:
	case <-s.over:
		return nil, errOver
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r := <-answered
	return r.value, r.err
}

// answer calls a stub's function: what it returns is the answer, or nil and the
// reason of a failure. Its error ends the test.
func (l *library) answer(one asking) {
	L := l.at
	look := L.NewTable()
	look.RawSetString("kind", glua.LString(one.q.Kind))
	look.RawSetString("key", glua.LString(one.q.Key))
	if len(one.q.Body) > 0 {
		look.RawSetString("body", glua.LString(one.q.Body))
	}
	if one.q.Kind == "sql" {
		look.RawSetString("values", lua.FromGo(L, append([]any{}, one.q.Values...)))
	}
	top := L.GetTop()
	L.Push(one.fn)
	L.Push(look)
	err := L.PCall(1, 2, nil)
	if err != nil {
		one.reply <- reply{err: lib.Refusal("failed: the stub's function erred")}
		api, ok := errors.AsType[*glua.ApiError](err)
		if !ok {
			lua.RaiseAt(L, "t.stub: %s", err.Error())
		}
		L.Error(api.Object, 0)
	}
	value, reason := L.Get(-2), L.Get(-1)
	L.SetTop(top)
	if value == glua.LNil && reason != glua.LNil {
		one.reply <- reply{err: lib.Refusal(reason.String())}
		return
	}
	plain, err := lua.ToGo(value)
	one.reply <- reply{plain, err}
}
