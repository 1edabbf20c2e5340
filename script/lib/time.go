package lib

import (
	"time"

	glua "github.com/yuin/gopher-lua"
)

func (x *library) time() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"now": function("b2b.time.now", func(a args) int {
			return a.give(glua.LNumber(float64(time.Now().UnixMicro()) / 1e6))
		}),
		"in_hours": function("b2b.time.in_hours", func(a args) int {
			at := time.Now()
			if a.has(3) {
				at = time.Unix(int64(a.whole(3, "the time", 0, 1<<40)), 0)
			}
			open, err := x.env.calendar.open(a.text(1, "the hours"), a.text(2, "the time zone"), at)
			if err != nil {
				a.fail("%v", err)
			}
			return a.give(glua.LBool(open))
		}),
	}
}
