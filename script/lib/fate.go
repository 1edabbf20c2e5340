package lib

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"legwork/b2bua/store"
)

// Fate is what a call meets besides what it looks up: random numbers, the store
// and limits. It hears of all that, and may decide it, so that a call can be
// played again. Its methods are used from any goroutine and never wait.
type Fate interface {
	// Draws are the random numbers of one call; nil: those of all.
	Draws(call string) rand.Source
	// Meet takes what the store, a limit, a trunk's state or the clock said, in the
	// values of lua.ToGo, and gives what the script gets. what is "get key",
	// "concurrent key", "up trunk", Clock... An error is that the store is away; a
	// Refusal is given word for word.
	Meet(call, what string, v any, err error) (any, error)
}

// What a call meets when it reads a clock: the time of day, and when the one of
// os.clock began. Both are seconds since 1970, to the microsecond.
const (
	Clock     = "clock"
	Stopwatch = "stopwatch"
)

// Now is the time of day for a hook of that call, "" outside of any; m may be
// nil.
func (e *Env) Now(call string, m Memo) time.Time {
	return e.timed(call, m, Clock, time.Now())
}

// Since is when the clock of such a hook began; it did at began.
func (e *Env) Since(call string, m Memo, began time.Time) time.Time {
	return e.timed(call, m, Stopwatch, began)
}

func (e *Env) timed(call string, m Memo, what string, at time.Time) time.Time {
	if m == nil && (e.cfg.Fate == nil || call == "") {
		return at
	}
	if met, is := e.Meet(call, m, what, float64(at.UnixMicro())/1e6).(float64); is {
		return time.UnixMicro(int64(math.Round(met * 1e6)))
	}
	return at
}

// Meet gives a hook of that call what it meets, in the values of lua.ToGo.
func (e *Env) Meet(call string, m Memo, what string, v any) any {
	if m != nil {
		v, _ = once(m, what, func() (any, error) { return v, nil }) // no error is kept
	}
	if e.cfg.Fate == nil || call == "" {
		return v
	}
	if met, err := e.cfg.Fate.Meet(call, what, v, nil); err == nil {
		return met
	}
	return v
}

// dice are the random numbers of a call.
func (e *Env) dice(call string) *rand.Rand {
	if e.cfg.Fate == nil || call == "" {
		return e.rand
	}
	if draws := e.cfg.Fate.Draws(call); draws != nil {
		return rand.New(draws)
	}
	return e.rand
}

func (x *library) dice(a args) *rand.Rand {
	dice := x.env.dice(x.callOf(a))
	if m := x.memo(a); m != nil {
		return rand.New(m.Draws(dice))
	}
	return dice
}

// callOf is the id of the call that a hook works for; "": none.
func (x *library) callOf(a args) string {
	if x.env.cfg.Fate == nil || x.scope.Call == nil {
		return ""
	}
	return x.scope.Call(a.L)
}

// settle tells the fate what came of a question, and takes its word. A mistake
// of the script stays one.
func (x *library) settle(a args, what string, v any, err error) (any, error) {
	call := x.callOf(a)
	if call == "" || errors.Is(err, store.ErrNotNumber) || errors.Is(err, store.ErrTooLarge) {
		return v, err
	}
	if err != nil {
		err = Refusal(reasonOf(err))
	}
	return x.env.cfg.Fate.Meet(call, what, v, err)
}

// allowed is settle for a limit.
func (x *library) allowed(a args, what string, ok bool) bool {
	v, err := x.settle(a, what, ok, nil)
	if allowed, is := v.(bool); is && err == nil {
		return allowed
	}
	return ok
}
