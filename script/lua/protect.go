package lua

import (
	"errors"

	glua "github.com/yuin/gopher-lua"
)

// pcall runs the function on a stack of its own. gopher-lua's pcall closes the
// upvalues of all frames when an error is raised, those of living functions
// too, which cuts closures off from the locals they share; here only the
// frames that die are on the stack.
func pcall(L *glua.LState) int {
	L.CheckAny(1)
	err := protected(L, L.GetTop()-1)
	if err == nil {
		return L.GetTop()
	}
	L.SetTop(0)
	L.Push(glua.LFalse)
	L.Push(err.Object)
	return 2
}

// xpcall calls the handler after the stack is unwound: there is nothing in
// this Lua that could look at it.
func xpcall(L *glua.LState) int {
	L.CheckAny(1)
	handler := L.CheckFunction(2)
	L.SetTop(1)
	err := protected(L, 0)
	if err == nil {
		return L.GetTop()
	}
	L.SetTop(0)
	L.Push(glua.LFalse)
	L.Push(handler)
	L.Push(err.Object)
	L.Call(1, 1)
	return 2
}

// protected calls the function at the bottom of L's frame with the n arguments
// above it and leaves true and its results there, or reports its error. What
// stops the run is not caught.
func protected(L *glua.LState, n int) *glua.ApiError {
	t := taskOf(L)
	if t == nil {
		RaiseAt(L, "pcall outside of a run")
	}
	if len(t.th) >= maxProtected {
		RaiseAt(L, "pcall is nested deeper than %d", maxProtected)
	}
	th := t.borrow()
	t.th = append(t.th, th)
	for i := 1; i <= n+1; i++ {
		th.Push(L.Get(i))
	}
	err := th.PCall(n, glua.MultRet, nil)
	t.th = t.th[:len(t.th)-1]
	L.G.CurrentThread = L
	if err != nil {
		return t.caught(L, th, err)
	}
	L.SetTop(0)
	L.Push(glua.LTrue)
	th.XMoveTo(L, th.GetTop())
	t.giveBack(th)
	return nil
}

// caught decides what an error in a pcall means for the run.
func (t *task) caught(L, th *glua.LState, err error) *glua.ApiError {
	if t.over != nil {
		t.abort(L)
	}
	var api *glua.ApiError
	if !errors.As(err, &api) {
		api = &glua.ApiError{Object: glua.LString(err.Error())}
	}
	if api.Type != glua.ApiErrorPanic {
		t.giveBack(th)
		return api
	}
	e := scriptError(err)
	if errors.Is(e, ErrPanic) {
		t.stop(ErrPanic, "internal error: %s", e.Msg)
		t.abort(L)
	}
	api.Object = glua.LString(e.Error())
	return api
}

func (t *task) borrow() *glua.LState {
	v := t.vm
	if n := len(v.spare); n > 0 {
		th := v.spare[n-1]
		v.spare[n-1] = nil
		v.spare = v.spare[:n-1]
		th.SetContext(t)
		return th
	}
	th, _ := v.main.NewThread()
	th.SetContext(t)
	return th
}

func (t *task) giveBack(th *glua.LState) {
	th.SetTop(0)
	if len(t.vm.spare) < maxIdle {
		t.vm.spare = append(t.vm.spare, th)
	}
}
