package lib

import (
	"math"

	glua "github.com/yuin/gopher-lua"
)

func (x *library) limits() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"concurrent": function("b2b.limit.concurrent", func(a args) int {
			key, most := a.key(1, "the key", maxLimitKey), a.whole(2, "the maximum", 0, math.MaxInt32)
			var owner Owner
			if x.scope.Owner != nil {
				owner = x.scope.Owner(a.L)
			}
			if owner == nil {
				a.fail("there is no call here that could end; use it in a call's hook")
			}
			ok, err := x.env.slots.take(owner, key, most)
			if err != nil {
				a.fail("%v", err)
			}
			return a.give(glua.LBool(ok))
		}),
		"rate": function("b2b.limit.rate", func(a args) int {
			key, perSecond := a.key(1, "the key", maxLimitKey), a.number(2, "per_second")
			burst := a.optWhole(3, "burst", 1, maxBurst, max(1, int(math.Ceil(min(perSecond, maxBurst)))))
			ok, err := x.env.buckets.allow(key, perSecond, burst)
			if err != nil {
				a.fail("%v", err)
			}
			return a.give(glua.LBool(ok))
		}),
	}
}
