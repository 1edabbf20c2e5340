package lua

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// Why a run was stopped; an *Error unwraps to one of them.
var (
	ErrInstructions = errors.New("too many instructions")
	ErrMemory       = errors.New("too much memory")
	ErrPattern      = errors.New("pattern too complex")
	ErrDeadline     = errors.New("deadline passed")
	ErrCancelled    = errors.New("cancelled")
	ErrPanic        = errors.New("internal error")
	ErrDead         = errors.New("this VM is dead")

	errOverflow = errors.New("stack overflow")
)

// An Error is what went wrong in a script, and where.
type Error struct {
	File      string // "" when no script line is to blame
	Line, Col int    // Col is 0 but for a syntax error
	Msg       string
	Traceback string
	Limit     string // "instructions" "deadline" "memory" "pattern", or ""
	Cause     error  // one of the sentinels, or nil for an error of the script's own
}

func (e *Error) Error() string {
	if e.File == "" {
		return e.Msg
	}
	return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Msg
}

func (e *Error) Unwrap() error { return e.Cause }

// Where is the line of the script that called the Go function that asks.
// Both results are zero when no script is running.
func Where(L *glua.LState) (file string, line int) {
	for level := 0; ; level++ {
		at, ok := L.GetStack(level)
		if !ok {
			return "", 0
		}
		if _, err := L.GetInfo("Sl", at, nil); err == nil && at.CurrentLine > 0 {
			return at.Source, at.CurrentLine
		}
	}
}

// RaiseAt ends the running Go function with a Lua error that names the line of
// the script that called it. It does not return.
func RaiseAt(L *glua.LState, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if file, line := Where(L); file != "" {
		msg = file + ":" + strconv.Itoa(line) + ": " + msg
	}
	L.Error(glua.LString(msg), 0)
}

// scriptError reads what gopher-lua reports about a run that failed.
func scriptError(err error) *Error {
	var api *glua.ApiError
	if !errors.As(err, &api) {
		return &Error{Msg: err.Error()}
	}
	e := &Error{Traceback: api.StackTrace}
	e.File, e.Line, e.Msg = splitPlace(message(api.Object))
	if api.Type == glua.ApiErrorPanic {
		if strings.Contains(e.Msg, stackOverflow) {
			e.Msg, e.Cause = "stack overflow", errOverflow
		} else {
			e.Cause = ErrPanic
		}
	}
	if e.File == "" {
		e.File, e.Line = innermost(e.Traceback)
	}
	return e
}

// entered names the function that a run began with: gopher-lua takes whatever
// nobody called for a main chunk.
func entered(err error, fn *glua.LFunction) error {
	var e *Error
	if fn.Proto == nil || fn.Proto.LineDefined == 0 || !errors.As(err, &e) {
		return err
	}
	const chunk = "in main chunk"
	if i := strings.LastIndex(e.Traceback, chunk); i >= 0 {
		named := fmt.Sprintf("in function <%s:%d>", fn.Proto.SourceName, fn.Proto.LineDefined)
		e.Traceback = e.Traceback[:i] + named + e.Traceback[i+len(chunk):]
	}
	return err
}

// innermost is the first line of a script in a traceback: for errors that name
// none, such as a stack overflow or error(text, 0).
func innermost(traceback string) (file string, line int) {
	for at := range strings.Lines(traceback) {
		if file, line, _ := splitPlace(strings.TrimSpace(at)); file != "" {
			return file, line
		}
	}
	return "", 0
}

// stackOverflow is what gopher-lua panics with when the call stack is full.
const stackOverflow = "callstack overflow"

// message is an error object as text.
func message(v glua.LValue) string {
	switch v := v.(type) {
	case glua.LString:
		return string(v)
	case *glua.LTable:
		for _, field := range []string{"message", "msg", "error"} {
			if s, ok := v.RawGetString(field).(glua.LString); ok {
				return string(s)
			}
		}
	}
	return "error object is a " + v.Type().String() + " value"
}

// splitPlace takes "main.lua:12: text" apart.
func splitPlace(s string) (file string, line int, msg string) {
	file, rest, ok := strings.Cut(s, ":")
	if !ok {
		return "", 0, s
	}
	number, msg, ok := strings.Cut(rest, ":")
	line, err := strconv.Atoi(number)
	if !ok || err != nil || line < 1 || strings.ContainsAny(file, " \n") {
		return "", 0, s
	}
	return file, line, strings.TrimPrefix(msg, " ")
}
