package lua

import glua "github.com/yuin/gopher-lua"

// Ask calls a function of the script within the run that L belongs to: on its
// budget and deadline, and it may wait if the run may. It is for the result
// function of VM.Call, where no script is running any more; a Go function that
// a script has called uses L.Call. The error is an *Error.
func Ask(L *glua.LState, fn *glua.LFunction, args ...glua.LValue) (glua.LValue, error) {
	L.Push(fn)
	for _, v := range args {
		L.Push(v)
	}
	if err := L.PCall(len(args), 1, nil); err != nil {
		if t := taskOf(L); t != nil {
			return glua.LNil, t.failed(err)
		}
		return glua.LNil, scriptError(err)
	}
	v := L.Get(-1)
	L.Pop(1)
	return v, nil
}
