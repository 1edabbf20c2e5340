package lib

import (
	"context"
	"errors"
	"math"

	glua "github.com/yuin/gopher-lua"

	"legwork/b2bua/store"
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
			ok, err := x.concurrentOnce(a, owner, key, most)
			if err != nil {
				a.fail("%v", err)
			}
			ok = x.allowed(a, "concurrent "+key, ok)
			x.limited(a, "concurrent", key, ok)
			return a.give(glua.LBool(ok))
		}),
		"rate": function("b2b.limit.rate", func(a args) int {
			key, perSecond := a.key(1, "the key", maxLimitKey), a.number(2, "per_second")
			burst := a.optWhole(3, "burst", 1, maxBurst, max(1, int(math.Ceil(min(perSecond, maxBurst)))))
			ok, err := x.rateOnce(a, key, perSecond, burst)
			if err != nil {
				a.fail("%v", err)
			}
			ok = x.allowed(a, "rate "+key, ok)
			x.limited(a, "rate", key, ok)
			return a.give(glua.LBool(ok))
		}),
	}
}

// concurrent counts here and, with a shared store, among all processes. While
// that is away each process counts for itself.
func (x *library) concurrent(a args, o Owner, key string, most int) (bool, error) {
	e := x.env
	ok, isNew, err := e.slots.take(o, key, most)
	if !isNew || e.keeper == nil {
		return ok, err
	}
	p := place{key, e.keeper.member()}
	err = x.remotely(a, func(s store.Shared) (err error) {
		if ok, err = s.Take(key, p.member, most, lease); errors.Is(err, context.Canceled) {
			e.keeper.release(p) // the call has ended, and Redis may have heard of it
		}
		return err
	})
	if err == nil && !ok {
		e.slots.giveUp(o, key)
		return false, nil
	}
	e.keeper.hold(p)
	if !e.slots.assign(o, key, p.member) {
		e.keeper.release(p)
	}
	return true, nil
}

// rate asks the shared store if there is one; while it is away each process has
// a bucket of its own.
func (x *library) rate(a args, key string, perSecond float64, burst int) (ok bool, err error) {
	if x.env.remote == nil || !isRate(perSecond, burst) {
		return x.env.buckets.allow(key, perSecond, burst)
	}
	err = x.remotely(a, func(s store.Shared) (err error) {
		ok, err = s.Rate(key, perSecond, burst)
		return err
	})
	if err != nil {
		return x.env.buckets.allow(key, perSecond, burst)
	}
	return ok, nil
}
