package lib

import (
	"context"
	"time"

	glua "github.com/yuin/gopher-lua"

	"legwork/script/lua"
)

func (x *library) time() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"now": function("b2b.time.now", func(a args) int {
			return a.give(glua.LNumber(float64(x.env.Now(x.callOf(a), x.memo(a)).UnixMicro()) / 1e6))
		}),
		"in_hours": function("b2b.time.in_hours", func(a args) int {
			var at time.Time
			if a.has(3) {
				at = time.Unix(int64(a.whole(3, "the time", 0, 1<<40)), 0)
			} else {
				at = x.env.Now(x.callOf(a), x.memo(a))
			}
			open, err := x.env.calendar.open(a.text(1, "the hours"), a.text(2, "the time zone"), at)
			if err != nil {
				a.fail("%v", err)
			}
			return a.give(glua.LBool(open))
		}),
	}
}

// sleep lets time pass for one hook; all others go on. A call that is only
// followed has done so already.
func (x *library) sleep(a args) int {
	rest := a.asSeconds(a.at(1), "the time")
	if x.env.apart && x.memo(a) != nil {
		rest = 0
	}
	_ = lua.Wait(a.L, func(ctx context.Context) error { // it ends the hook itself when ctx is done
		over := time.NewTimer(rest)
		defer over.Stop()
		select {
		case <-ctx.Done():
		case <-over.C:
		}
		return nil
	})
	return 0
}
