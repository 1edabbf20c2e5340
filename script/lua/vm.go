// Package lua is Lua 5.1 as gopher-lua runs it, made safe: a script that errs,
// loops, hoards or runs a pathological pattern is stopped with an error that
// names its line, and nobody else notices.
//
// It knows nothing of SIP, calls, files or the network; what scripts may
// touch comes in as Config, and the text of modules as compiled functions.
//
// Start reading at VM.Call, then task.go (what stops a run), rewrite.go (what
// is different about the compiled code) and base.go (what a script sees).
package lua

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// Config is what all runs of a VM share. Every field may be left out.
type Config struct {
	Rand func(L *glua.LState) float64   // math.random, in [0,1); nil: a fixed 0
	Now  func(L *glua.LState) time.Time // for os.time, os.date and os.clock; nil: the machine's
	// Since is the zero of os.clock for one who began then; nil: that.
	Since func(L *glua.LState, began time.Time) time.Time
	Print func(L *glua.LState, line string)
	// Modules are what require finds, by file: "a/b.lua" for require "a.b".
	Modules map[string]*glua.FunctionProto
	// Libraries are made once per VM, by module name; require finds them first.
	Libraries map[string]func(L *glua.LState) glua.LValue
	// Globals names the libraries that are globals too.
	Globals []string
	// Cover notes the lines that are run; nil: nothing does.
	Cover *Coverage
	// Strings are added to the string library.
	Strings map[string]glua.LGFunction
	// Open lets scripts make globals, as plain Lua does; one that nobody has
	// made is nil. They last as long as the VM.
	Open bool
}

// A VM is one Lua state. Runs take turns: one has the lock until it ends or
// waits. A VM that had a run over its limits is dead: it serves no new runs,
// and its owner replaces it.
type VM struct {
	mu     sync.Mutex // guards all below and the state itself
	main   *glua.LState
	env    *glua.LTable // what scripts see as their globals, read-only
	names  []string     // of the globals
	cfg    Config
	idle   []*task
	spare  []*glua.LState // for pcall
	loaded map[string]glua.LValue
	path   []string // of modules being loaded

	closed chan struct{}
	dead   atomic.Bool
}

// maxIdle is how many threads a VM keeps for later runs.
const maxIdle = 64

// settle sets what gopher-lua has one of for the whole process, before the
// first compiler or state: the size of arrays, and no table `arg` for every
// call of a function with `...` (2 KB each).
var settle = sync.OnceFunc(func() {
	glua.MaxArrayIndex = maxArrayIndex
	glua.CompatVarArg = false
})

// NewVM makes a VM with the standard library of base.go and the libraries of
// cfg.
func NewVM(cfg Config) *VM {
	settle()
	L := glua.NewState(glua.Options{
		RegistrySize:        128,
		RegistryMaxSize:     65536,
		RegistryGrowStep:    64,
		CallStackSize:       128,
		MinimizeStackMemory: true,
		SkipOpenLibs:        true,
	})
	L.G.MainThread, L.G.CurrentThread = L, L
	v := &VM{main: L, cfg: cfg, loaded: map[string]glua.LValue{}, closed: make(chan struct{})}
	close(v.closed)
	v.openGlobals()
	return v
}

// Dead says whether a run went over its limits here.
func (v *VM) Dead() bool { return v.dead.Load() }

// Do gives Go code the state while no run has it. No Lua function may be
// called with L: it has no limits.
func (v *VM) Do(use func(L *glua.LState)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	use(v.main)
}

// Function makes a function of this VM of a compiled file. Its globals are
// read-only.
func (v *VM) Function(proto *glua.FunctionProto) *glua.LFunction {
	return &glua.LFunction{Env: v.env, Proto: proto}
}

// Call runs fn. args pushes its arguments and says how many; result gets its
// first result. Both run under the VM's lock, may be nil, and must not keep
// what they see of L. Tables may be read in result only: after Call another
// run has the VM.
//
// The error is an *Error, or ErrDead, or what result returned.
func (v *VM) Call(run *Run, fn *glua.LFunction, args func(L *glua.LState) int,
	result func(L *glua.LState, value glua.LValue) error,
) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead.Load() {
		return ErrDead
	}
	t := v.lease()
	t.begin(run)
	err := t.call(fn, args, result)
	if t.over != nil {
		err = t.stopped(err)
	}
	clean := !errors.Is(err, ErrPanic) && !errors.Is(err, errOverflow)
	t.end()
	if clean && len(v.idle) < maxIdle {
		t.root.SetTop(0)
		v.idle = append(v.idle, t)
	}
	return err
}

func (v *VM) lease() *task {
	if n := len(v.idle); n > 0 {
		t := v.idle[n-1]
		v.idle[n-1] = nil
		v.idle = v.idle[:n-1]
		return t
	}
	t := &task{vm: v}
	t.root, _ = v.main.NewThread()
	t.root.SetContext(t)
	return t
}

// call runs fn and turns panics of any kind into errors.
func (t *task) call(fn *glua.LFunction, args func(*glua.LState) int,
	result func(*glua.LState, glua.LValue) error,
) (err error) {
	L := t.root
	defer func() {
		if p := recover(); p != nil {
			err = t.recovered(p)
		}
	}()
	L.G.CurrentThread = L
	L.Push(fn)
	n := 0
	if args != nil {
		n = args(L)
	}
	if err := L.PCall(n, 1, nil); err != nil {
		return entered(t.failed(err), fn)
	}
	if result != nil {
		return result(L, L.Get(-1))
	}
	return nil
}

// recovered is a panic outside of PCall: a RaiseAt of args or result, or a bug.
func (t *task) recovered(p any) error {
	if api, ok := p.(*glua.ApiError); ok {
		return t.failed(api)
	}
	t.vm.dead.Store(true)
	return &Error{Msg: fmt.Sprint("internal error: ", p), Cause: ErrPanic}
}

// failed is a run that ended with an error. A panic inside gopher-lua or a
// binding leaves a VM that nobody should trust.
func (t *task) failed(err error) error {
	e := scriptError(err)
	if errors.Is(e, ErrPanic) {
		t.vm.dead.Store(true)
	}
	return e
}

// stopped is the error of a run that was stopped, whatever its pcalls made of it.
func (t *task) stopped(err error) error {
	var e *Error
	if errors.As(err, &e) {
		t.over.Traceback = e.Traceback
	}
	return t.over
}

// MayWait tells whether Wait may be used now.
func MayWait(L *glua.LState) bool {
	t := taskOf(L)
	return t != nil && t.run.MayWait && t.loading == 0
}

// Wait lets a Go function that a script called wait: fn runs while other runs
// have the VM. Its context ends with the run's deadline and with Run.Ctx; then
// Wait does not return but ends the run. In a run that may not wait it raises
// an error. fn must not touch L.
func Wait(L *glua.LState, fn func(ctx context.Context) error) error {
	t := taskOf(L)
	switch {
	case t == nil || !t.run.MayWait:
		hook := "here"
		if t != nil && t.run.Hook != "" {
			hook = "in " + t.run.Hook
		}
		RaiseAt(L, "waiting is not allowed %s", hook)
	case t.loading > 0:
		RaiseAt(L, "waiting is not allowed while a module is loaded")
	}
	t.openWait()
	err := t.away(L, fn)
	if cause := t.wait.Err(); cause != nil && t.over == nil {
		t.endWait(cause)
	}
	if t.over != nil {
		t.abort(L)
	}
	return err
}

// openWait makes the context of the run's waits; the time it has computed so
// far counts.
func (t *task) openWait() {
	if t.wait != nil {
		return
	}
	if t.started.IsZero() {
		t.started = time.Now()
	}
	parent := t.run.Ctx
	if parent == nil {
		parent = context.Background()
	}
	t.wait, t.cancel = context.WithDeadline(parent, t.started.Add(t.run.Deadline))
}

// away runs fn without the VM's lock, and has the VM again whatever fn does.
func (t *task) away(L *glua.LState, fn func(ctx context.Context) error) error {
	t.vm.mu.Unlock()
	defer func() {
		t.vm.mu.Lock()
		L.G.CurrentThread = L
	}()
	return fn(t.wait)
}

// endWait stops a run whose wait was cut short. Unlike a script that computes
// past its deadline it leaves the VM as good as before: a slow server must not
// cost every call its VM.
func (t *task) endWait(cause error) {
	wasDead := t.vm.dead.Load()
	if errors.Is(cause, context.DeadlineExceeded) && (t.run.Ctx == nil || t.run.Ctx.Err() == nil) {
		t.stop(ErrDeadline, "stopped after waiting %v", t.run.Deadline)
	} else {
		t.stop(ErrCancelled, "cancelled")
	}
	t.vm.dead.Store(wasDead)
}
