package lua

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// Limits of one run. A zero field means the default.
type Limits struct {
	Instructions int           // default 1,000,000
	Memory       int           // bytes of strings and tables it makes, freed ones included; default 16 MiB
	Deadline     time.Duration // default 5 s for a run that may wait, else 100 ms
}

// A Run says how one function is run.
type Run struct {
	Ctx     context.Context // its end cancels the run; nil: it is not cancelled
	Hook    string          // for messages: "waiting is not allowed in on_branch"
	MayWait bool
	Limits
}

const (
	defaultInstructions = 1_000_000
	defaultMemory       = 16 << 20
	defaultWait         = 5 * time.Second
	defaultNoWait       = 100 * time.Millisecond

	// lookEvery is how many instructions go by between looks at the clock and
	// the context.
	lookEvery = 128
	// maxProtected is how deep pcall may nest: each level has a stack of its own.
	maxProtected = 40
)

// A task is one run. It is the context of its threads, because the VM asks a
// context once per instruction whether it is done: that is where instructions
// are counted. It belongs to whoever holds the VM's lock.
type task struct {
	vm   *VM
	run  Run
	root *glua.LState
	th   []*glua.LState // the threads of pcalls, innermost last

	left    int // instructions
	alarm   int // look when left is here
	memory  int // bytes left
	started time.Time
	last    spot   // that was covered
	over    *Error // why it was stopped: it stays so, whatever pcall does
	loading int    // modules being loaded

	wait   context.Context // run.Ctx with the deadline, made by the first Wait
	cancel context.CancelFunc
}

func (t *task) begin(run *Run) {
	t.run = *run
	if t.run.Instructions <= 0 {
		t.run.Instructions = defaultInstructions
	}
	if t.run.Memory <= 0 {
		t.run.Memory = defaultMemory
	}
	if t.run.Deadline <= 0 {
		t.run.Deadline = defaultNoWait
		if t.run.MayWait {
			t.run.Deadline = defaultWait
		}
	}
	t.left, t.memory = t.run.Instructions, t.run.Memory
	t.over, t.loading, t.started = nil, 0, time.Time{}
	t.sleep()
}

// end forgets what the run was given, so that an idle task keeps nothing alive.
func (t *task) end() {
	if t.cancel != nil {
		t.cancel()
		t.cancel, t.wait = nil, nil
	}
	t.run, t.last = Run{}, spot{}
	clear(t.th)
	t.th = t.th[:0]
}

// Done implements context.Context; it is called before each instruction.
func (t *task) Done() <-chan struct{} {
	t.left--
	if t.left > t.alarm {
		return nil
	}
	return t.look()
}

// look is Done now and then.
func (t *task) look() <-chan struct{} {
	if t.vm.cfg.Cover != nil {
		t.cover()
	}
	switch {
	case t.over != nil:
		return t.vm.closed
	case t.left < 0:
		t.stop(ErrInstructions, "stopped after %d instructions", t.run.Instructions)
		return t.vm.closed
	case t.started.IsZero():
		t.started = time.Now()
	case time.Since(t.started) > t.run.Deadline:
		t.stop(ErrDeadline, "stopped after %v", t.run.Deadline)
		return t.vm.closed
	}
	if t.run.Ctx != nil && t.run.Ctx.Err() != nil {
		t.stop(ErrCancelled, "cancelled")
		return t.vm.closed
	}
	t.sleep()
	return nil
}

// sleep sets when to look next; who covers lines looks at each instruction.
func (t *task) sleep() {
	t.alarm = max(t.left-lookEvery, -1)
	if t.vm.cfg.Cover != nil {
		t.alarm = math.MaxInt
	}
}

// Err implements context.Context: its text becomes the Lua error.
func (t *task) Err() error {
	if t.over == nil {
		return nil
	}
	return errors.New(t.over.Msg)
}

// Deadline implements context.Context.
func (t *task) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (t *task) Value(key any) any {
	if t.run.Ctx == nil {
		return nil
	}
	return t.run.Ctx.Value(key)
}

// stop ends the run for good: from now on each instruction raises an error, so
// a pcall of the script does not save it. The first cause stays.
func (t *task) stop(cause error, format string, args ...any) {
	if t.over != nil {
		return
	}
	t.over = &Error{Msg: fmt.Sprintf(format, args...), Cause: cause}
	t.over.File, t.over.Line = t.where()
	switch {
	case errors.Is(cause, ErrInstructions):
		t.over.Limit = "instructions"
	case errors.Is(cause, ErrMemory):
		t.over.Limit = "memory"
	case errors.Is(cause, ErrPattern):
		t.over.Limit = "pattern"
	case errors.Is(cause, ErrDeadline):
		t.over.Limit = "deadline"
	}
	t.alarm = math.MaxInt
	if !errors.Is(cause, ErrCancelled) {
		t.vm.dead.Store(true)
	}
}

// where is the line that runs, or that of the innermost pcall of a Go function.
func (t *task) where() (file string, line int) {
	for i := len(t.th) - 1; i >= 0; i-- {
		if file, line = Where(t.th[i]); file != "" {
			return file, line
		}
	}
	return Where(t.root)
}

// taskOf is the run that L belongs to; nil for a VM that runs no script, as in Do.
func taskOf(L *glua.LState) *task {
	t, _ := L.Context().(*task)
	return t
}

// abort raises the error of a stopped run from a Go function.
func (t *task) abort(L *glua.LState) { RaiseAt(L, "%s", t.over.Msg) }

// Charge counts n bytes that a Go function is about to make for the script,
// and raises an error if that is over the run's limit.
func Charge(L *glua.LState, n int) {
	t := taskOf(L)
	if t == nil {
		return
	}
	t.memory -= n
	if n < 0 || t.memory < 0 {
		t.stop(ErrMemory, "stopped: its strings and tables are over the limit of %d bytes", t.run.Memory)
		t.abort(L)
	}
}

// spend counts work that no instruction shows. A run out of instructions is
// stopped by its next one.
func spend(L *glua.LState, n int) {
	if t := taskOf(L); t != nil && n > 0 {
		t.left = max(t.left-n, 0)
	}
}
